"""The commands of the shop. One that waits does so for a file of the given name in the shop's folder."""

from __future__ import annotations

import os
import time

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone, translation

from huey_django import periodic_command, queue_command
from orders.models import Order


@queue_command(name="shop.place")
def place(text):
    Order.objects.create(text=text)
    return Order.objects.count()


@queue_command(name="shop.place_async")
async def place_async(text):
    await Order.objects.acreate(text=text)
    return await Order.objects.acount()


@queue_command(name="shop.text_of")
def text_of(number):
    return Order.objects.get(pk=number).text


@queue_command(name="shop.place_and_wait")
def place_and_wait(text, name):
    count = place.call_local(text)
    (settings.FOLDER / f"{name}.awaited").touch()
    while not (settings.FOLDER / name).exists():
        time.sleep(0.01)
    return count


@queue_command(name="shop.look_around")
def look_around():
    return {
        "language": translation.get_language(),
        "time_zone": timezone.get_current_timezone_name(),
        "in_transaction": connection.in_atomic_block,
        "queries": len(connection.queries),
        "pid": os.getpid(),
    }


@queue_command(name="shop.leave_a_mess")
def leave_a_mess():
    translation.activate("de")
    timezone.activate("Pacific/Auckland")
    transaction.atomic().__enter__()
    Order.objects.create(text="never committed")
    Order.objects.create(text="never committed")


def note_when_asked(when):
    Order.objects.count()
    with (settings.FOLDER / "asked").open("a") as file:
        file.write(f"{when:%H:%M}\n")
    return False


@periodic_command(note_when_asked, name="shop.periodic")
def periodic():
    pass

"""Places an order as a request would, in a transaction, and prints what has happened."""

from __future__ import annotations

from django.core.management.base import BaseCommand
from django.db import transaction

from huey_django import get_invoker
from orders.commands import text_of
from orders.models import Order


class Command(BaseCommand):
    """``manage.py order TEXT [--roll-back]``"""

    def add_arguments(self, parser):
        parser.add_argument("text")
        parser.add_argument("--roll-back", action="store_true")

    def handle(self, *, text, roll_back, **options):
        with transaction.atomic():
            handle = text_of(Order.objects.create(text=text).pk)
            self.stdout.write(f"{len(get_invoker().queue)} before the end")
            transaction.set_rollback(roll_back)
        self.stdout.write(f"{len(get_invoker().queue)} after the end")
        if not roll_back:
            self.stdout.write(handle.get(blocking=True, timeout=20))

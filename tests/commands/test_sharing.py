"""Which invokers have one queue, as far as their URLs and objects say."""

from __future__ import annotations

import pytest

from huey_core import CommandRegistry, Invoker, crontab, periodic_command, queue_command
from huey_core.consumer.tick_writer import TickWriter
from plain_backend import PlainQueue


def test_commands_of_a_queue_of_the_same_name_on_another_server_are_left_to_its_consumers():
    registry = CommandRegistry()
    here, elsewhere = (Invoker(f"memory://{place}/?queue=mail", registry=registry) for place in ("here", "elsewhere"))

    @periodic_command(elsewhere, crontab())
    def not_ours(): ...

    assert TickWriter(here).commands() == []
    assert TickWriter(elsewhere).commands() == [not_ours.command_class]


@pytest.mark.parametrize("url", ["memory://same/?queue=mail", "memory://same/?lease=30&queue=mail"])
def test_commands_belong_to_every_consumer_that_names_their_queue(url):
    registry = CommandRegistry()
    decorating, consuming = (Invoker(each, registry=registry) for each in ("memory://same/?queue=mail", url))

    @periodic_command(decorating, crontab())
    def ours(): ...

    assert TickWriter(consuming).commands() == [ours.command_class]


def test_commands_belong_to_every_invoker_of_the_same_queue_object():
    registry, queue = CommandRegistry(), PlainQueue()
    decorating = Invoker(queue, "memory://one/", registry=registry)
    consuming = Invoker(queue, "memory://other/", registry=registry)

    @periodic_command(decorating, crontab())
    def ours(): ...

    assert TickWriter(consuming).commands() == [ours.command_class]


@pytest.mark.parametrize(
    ("settings", "word"),
    [({"serializer": "pickle"}, "'pickle'"), ({"results": False}, "are stored, though callers may wait"), ({}, None)],
)
def test_a_consumer_warns_of_another_invoker_of_its_queue_that_it_disagrees_with(
    make_invoker, run_consumer, caplog, settings, word
):
    registry = CommandRegistry()
    caller = make_invoker(registry=registry, serializer=settings.get("serializer", "json"))
    queue_command(caller, name="shop.add")(lambda: None)
    caplog.set_level("WARNING")

    run_consumer(make_invoker(registry=registry, results=settings.get("results", True)))

    assert ["shop.add" in text and word in text for text in caplog.messages] == [True] * (word is not None)

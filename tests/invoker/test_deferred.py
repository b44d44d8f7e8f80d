"""Commands can be decorated before their invoker exists."""

from __future__ import annotations

import pytest

from huey_core import Invoker, PeriodicQueueCommand, crontab, periodic_command, queue_command
from huey_core.backends.base import BaseDataStore
from huey_core.commands.registry import default_registry
from huey_core.consumer.tick_writer import TickWriter
from huey_core.exceptions import ConfigurationError, Unsupported
from huey_core.invoker.deferred import DeferredInvoker
from huey_memory import MemoryQueue
from plain_backend import PlainQueue
from plugin_options import GiveUp


@pytest.fixture
def made():
    """The invoker, as soon as the test has made one."""
    return []


@pytest.fixture
def deferred(made):
    before = set(default_registry)
    yield DeferredInvoker(lambda: made[0])
    for name in set(default_registry) - before:
        default_registry.unregister(name)


def test_nothing_is_asked_of_the_function_until_a_command_is_used(deferred, made):
    @queue_command(deferred, retries=2)
    def add(a, b):
        return a + b

    made.append(Invoker.from_url("memory://", always_eager=True))

    assert add(1, 2).get() == 3


def test_it_can_be_made_by_its_subscripted_type(deferred, made):
    subscripted = DeferredInvoker[BaseDataStore](deferred.get)

    @queue_command(subscripted)
    def add(a, b):
        return a + b

    made.append(Invoker.from_url("memory://", always_eager=True))

    assert add(1, 2).get() == 3


def test_a_command_is_bound_to_the_invoker_that_it_was_enqueued_with(deferred, made):
    @queue_command(deferred)
    def add(a, b):
        return a + b

    made.append(Invoker.from_url("memory://"))
    command = add.command(1, 2)
    first = made[0]
    first.enqueue(command)
    made[0] = Invoker.from_url("memory://?queue=other")

    assert command.invoker is first


def test_a_class_of_commands_names_the_invoker_of_the_moment(deferred, made):
    @queue_command(deferred)
    def add(a, b):
        return a + b

    made.append(Invoker.from_url("memory://"))

    assert add.command_class.invoker is made[0]


def test_what_the_queue_cannot_do_is_told_at_the_first_use(deferred, made):
    @queue_command(deferred, priority=5)
    def add(a, b):
        return a + b

    made.append(Invoker(PlainQueue("plain")))

    with pytest.raises(Unsupported, match="priority"):
        add(1, 2)


def test_a_tick_is_written_by_the_consumers_of_the_invoker_only(deferred, made):
    @periodic_command(deferred, crontab())
    def tick():
        pass

    made.append(Invoker(MemoryQueue("here")))
    elsewhere = Invoker(MemoryQueue("elsewhere"))

    assert issubclass(tick.command_class, PeriodicQueueCommand)
    assert tick.command_class in TickWriter(made[0]).commands()
    assert tick.command_class not in TickWriter(elsewhere).commands()


def test_a_bare_function_in_place_of_the_invoker_is_an_error():
    with pytest.raises(ConfigurationError, match="takes the invoker first"):

        @queue_command
        def add(a, b):
            return a + b


def test_a_command_has_an_option_of_the_plugins_that_are_named_for_the_invoker(made):
    plugin = GiveUp()
    deferred = DeferredInvoker(lambda: made[0], plugins=lambda: [plugin])
    decorated = queue_command(deferred, name="deferred.giving_up", give_up_after=5)(lambda: None)
    made.append(Invoker.from_url("memory://", plugins=[plugin], always_eager=True))

    decorated()

    assert plugin.seen == [5.0]
    default_registry.unregister("deferred.giving_up")


def test_its_plugins_are_not_asked_for_what_core_offers(made):
    def refuse():
        raise AssertionError("nobody has to be asked")

    queue_command(DeferredInvoker(lambda: made[0], plugins=refuse), retries=3)


def test_an_option_that_no_plugin_of_the_invoker_offers_is_told_at_the_first_use(made):
    deferred = DeferredInvoker(lambda: made[0], plugins=lambda: [GiveUp()])
    decorated = queue_command(deferred, name="deferred.giving_up", give_up_after=5)(lambda: None)
    made.append(Invoker.from_url("memory://"))

    with pytest.raises(ConfigurationError, match="no option 'give_up_after'"):
        decorated()

    default_registry.unregister("deferred.giving_up")

"""Plugins are notified of the commands of an invoker, for as long as there is one."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from huey_core import CommandRegistry, Invoker, hookimpl, queue_command


class Watcher:
    """Asks for the plugins whenever it is notified of a command."""

    def __init__(self):
        self.seen = []

    @hookimpl
    def huey_command_registered(self, command_class):
        command_class.invoker.plugins.names()
        self.seen.append(command_class.command_name)


@pytest.fixture
def watcher():
    return Watcher()


@pytest.fixture
def invoker(make_invoker, watcher):
    """An invoker that has loaded its plugins, with a command that was registered before."""
    invoker = make_invoker(plugins=[watcher])
    queue_command(invoker, name="before")(lambda: None)
    loading = threading.Thread(target=lambda: invoker.plugins, daemon=True)
    loading.start()
    loading.join(30)
    assert not loading.is_alive()
    return invoker


def test_a_plugin_is_notified_of_commands_registered_before_and_after_it_was_loaded(invoker, watcher):
    queue_command(invoker, name="after")(lambda: None)

    assert watcher.seen == ["before", "after"]


def test_plugins_of_a_closed_invoker_are_notified_of_no_further_command(invoker, watcher):
    invoker.close()
    queue_command(invoker, name="after")(lambda: None)

    assert watcher.seen == ["before"]


@pytest.mark.parametrize("closed", [True, False])
def test_nothing_keeps_an_invoker_that_nobody_uses(watcher, closed):
    registry = CommandRegistry()
    invoker = Invoker.from_url("memory://unused/", registry=registry, plugins=[watcher])
    invoker.plugins.names()
    if closed:
        invoker.close()
    gone = weakref.ref(invoker)

    del invoker
    gc.collect()

    assert gone() is None
    assert registry.on_register == []


class Interrupted(CommandRegistry):
    """Lets another thread register a command while one goes through those that are there."""

    def __iter__(self):
        names = list(super().__iter__())
        if len(self) == 1:
            self.other = threading.Thread(target=queue_command(self.invoker, name="meanwhile"), args=[lambda: None])
            self.other.start()
            # It waits for the first one where that is done in one step.
            self.other.join(0.3)
        return iter(names)


def test_a_command_that_another_thread_registers_meanwhile_is_notified_of(make_invoker, watcher):
    registry = Interrupted()
    registry.invoker = invoker = make_invoker(plugins=[watcher], registry=registry)
    queue_command(invoker, name="before")(lambda: None)

    invoker.plugins.names()
    registry.other.join(30)

    assert sorted(watcher.seen) == ["before", "meanwhile"]

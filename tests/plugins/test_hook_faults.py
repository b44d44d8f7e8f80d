"""An observer that raises or is slow is counted, and is logged with its plugin's name once a minute at most."""

from __future__ import annotations

import logging
import threading

import pytest

from huey_core import hookspecs
from huey_core.hookspecs import OBSERVERS, hookimpl
from huey_core.plugins.hook_faults import SLOW_HOOK
from huey_core.plugins.manager import PluginManager
from huey_core.snapshot import HookFaults


class Failing:
    @hookimpl
    def huey_after_enqueue(self, command):
        raise RuntimeError("full disk")


class Slow:
    """Takes so many seconds."""

    def __init__(self, clock, seconds):
        self.clock = clock
        self.seconds = seconds

    @hookimpl
    def huey_after_enqueue(self, command):
        self.clock.advance(self.seconds)


@pytest.fixture
def manage(clock):
    """Makes a manager whose plugins have the names given."""

    def make(**plugins):
        manager = PluginManager(installed=False, clock=clock)
        for name, plugin in plugins.items():
            manager.register(plugin, name)
        return manager

    return make


def enqueue(manager: PluginManager) -> None:
    manager.notify(hookspecs.huey_after_enqueue, invoker=None, command="command")


def test_an_exception_is_logged_with_the_plugin_and_the_hook(manage, caplog):
    enqueue(manage(metrics=Failing()))

    (record,) = caplog.records
    assert record.getMessage() == "plugin metrics failed in huey_after_enqueue, once so far"
    assert record.levelno == logging.ERROR
    assert str(record.exc_info[1]) == "full disk"


def test_exceptions_are_counted_by_plugin_and_hook(manage):
    manager = manage(one=Failing(), two=Failing())

    for _ in range(3):
        enqueue(manager)

    assert manager.hook_faults() == [HookFaults(name, "huey_after_enqueue", errors=3) for name in ("one", "two")]


def test_a_slow_call_is_logged_with_the_plugin_the_hook_and_what_it_means(manage, clock, caplog):
    enqueue(manage(metrics=Slow(clock, 0.5)))

    (record,) = caplog.records
    assert record.getMessage() == (
        "plugin metrics took 0.500 s in huey_after_enqueue, slow once so far: whoever enqueues has to wait"
    )
    assert record.levelno == logging.WARNING


def test_slow_calls_are_counted_with_the_time_they_took(manage, clock):
    slow = Slow(clock, 0.5)
    manager = manage(metrics=slow)

    for slow.seconds in (0.5, 2.0, 0.25):
        enqueue(manager)

    assert manager.hook_faults() == [HookFaults("metrics", "huey_after_enqueue", delays=3, seconds=2.75, longest=2.0)]


def test_a_call_within_the_limit_is_nothing_to_speak_of(manage, clock, caplog):
    slow = Slow(clock, SLOW_HOOK / 2)
    manager = manage(metrics=slow)

    for _ in range(10):
        enqueue(manager)

    assert (manager.hook_faults(), caplog.records) == ([], [])


def test_the_limit_can_be_chosen(clock):
    manager = PluginManager([Slow(clock, 1.0)], installed=False, slow_hook=2.0, clock=clock)

    enqueue(manager)

    assert manager.hook_faults() == []


def test_only_the_slow_one_of_several_is_counted(manage, clock):
    manager = manage(one=Slow(clock, 0.0), slow=Slow(clock, 1.0), other=Slow(clock, 0.0))

    enqueue(manager)

    assert [(faults.plugin, faults.delays) for faults in manager.hook_faults()] == [("slow", 1)]


def test_one_that_is_slow_and_raises_is_counted_and_logged_for_both(manage, clock, caplog):
    class Hopeless(Slow):
        @hookimpl
        def huey_after_enqueue(self, command):
            self.clock.advance(self.seconds)
            raise RuntimeError("no route to host")

    manager = manage(metrics=Hopeless(clock, 5.0))

    enqueue(manager)

    (faults,) = manager.hook_faults()
    assert (faults.errors, faults.delays, faults.longest) == (1, 1, 5.0)
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]


def test_the_time_that_logging_an_exception_takes_is_not_the_plugins(manage, clock):
    class SlowHandler(logging.Handler):
        def emit(self, record):
            clock.advance(10)

    handler = SlowHandler()
    logging.getLogger("huey_core").addHandler(handler)
    manager = manage(metrics=Failing())
    try:
        enqueue(manager)
    finally:
        logging.getLogger("huey_core").removeHandler(handler)

    assert manager.hook_faults() == [HookFaults("metrics", "huey_after_enqueue", errors=1)]


@pytest.mark.parametrize("faulty", [lambda clock: Failing(), lambda clock: Slow(clock, 0.5)], ids=["raises", "is slow"])
def test_a_fault_is_logged_once_a_minute(manage, clock, caplog, faulty):
    manager = manage(metrics=faulty(clock))
    began = clock()

    for moment in (0.0, 30.0, 59.0, 61.0, 90.0):
        clock.advance(began + moment - clock())
        enqueue(manager)

    assert [("once" in record.getMessage(), "4 times" in record.getMessage()) for record in caplog.records] == [
        (True, False),
        (False, True),
    ]


def test_another_plugin_is_logged_within_the_same_minute(manage, caplog):
    enqueue(manage(one=Failing(), two=Failing()))

    assert len(caplog.records) == 2


def test_what_was_counted_does_not_change_afterwards(manage):
    manager = manage(metrics=Failing())
    enqueue(manager)
    (before,) = manager.hook_faults()

    enqueue(manager)

    assert before.errors == 1


def test_faults_of_many_threads_are_all_counted(manage):
    manager = manage(metrics=Failing())
    threads = [threading.Thread(target=lambda: [enqueue(manager) for _ in range(200)]) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [faults.errors for faults in manager.hook_faults()] == [1600]


@pytest.mark.parametrize("hook", sorted(OBSERVERS))
def test_what_a_slow_observer_means_is_said_for_every_hook(clock, caplog, hook):
    class Plugin:
        @hookimpl(specname=hook)
        def wait(self):
            clock.advance(1)

    PluginManager([Plugin()], installed=False, clock=clock).notify(getattr(hookspecs, hook))

    assert f" s in {hook}, slow once so far: {hookspecs.SLOW[hook]}" in caplog.text


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        (HookFaults("p", "h", errors=1), "plugin p in h raised once"),
        (HookFaults("p", "h", delays=2, seconds=1.25, longest=1.0), "plugin p in h was slow 2 times (1.25 s in all, "),
        (HookFaults("p", "h", 3, 1, 0.5, 0.5), "raised 3 times and was slow once (0.5 s in all, 0.5 s at most)"),
    ],
)
def test_faults_are_put_into_words(faults, words):
    assert words in str(faults)

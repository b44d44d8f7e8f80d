"""What belongs to one process is made anew in a child, whether or not Python was told of the fork."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from huey_core import CommandRegistry, Invoker
from huey_core.backends.forking import ForkAware, PerProcess, ProcessLock, _after_fork_in_child, randomness
from huey_core.consumer import Consumer
from huey_testing.conformance._forking import Child

PATIENCE = 30.0


def in_a_child(call, announced=True):
    with Child(call, announced=announced) as child:
        return child.result(PATIENCE)


both_ways = pytest.mark.parametrize("announced", [True, False], ids=["announced", "not announced"])


@both_ways
def test_each_process_has_its_own_and_it_is_made_once(announced):
    own = PerProcess(lambda: [os.getpid()])

    assert own() is own()
    assert in_a_child(lambda: own() == [os.getpid()] and own() is own(), announced)


@both_ways
def test_a_child_leaves_what_its_parent_had_before_it_makes_its_own(announced):
    steps = []
    own = PerProcess(lambda: steps.append("made") or os.getpid(), leave=lambda made: steps.append(f"left {made}"))
    mine = own()

    assert in_a_child(lambda: own() and own() and steps, announced) == ["made", f"left {mine}", "made"]
    assert own() == mine


def test_what_leaving_raises_is_raised_again_by_the_next_call():
    def refuse(made):
        raise ValueError

    own = PerProcess(object, leave=refuse)
    own()

    def refusals():
        seen = 0
        for _ in range(2):
            try:
                own()
            except ValueError:
                seen += 1
        return seen

    with Child(refusals) as child:
        assert child.result(PATIENCE) == 2


def test_threads_that_ask_at_the_same_time_get_the_same():
    everybody = threading.Barrier(8)
    own = PerProcess(object)
    got = []

    def ask():
        everybody.wait(PATIENCE)
        got.append(own())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert len(got) == 8
    assert set(got) == {own()}


@pytest.fixture
def held_elsewhere():
    """A function that holds a lock in another thread until the test is over."""
    over = threading.Event()
    threads = []

    def hold(lock):
        held = threading.Event()

        def run():
            with lock:
                held.set()
                over.wait(PATIENCE)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        assert held.wait(PATIENCE)

    yield hold
    over.set()
    for thread in threads:
        thread.join(PATIENCE)


@both_ways
def test_a_lock_that_a_thread_of_the_parent_holds_is_free_in_a_child(held_elsewhere, announced):
    lock = ProcessLock()
    held_elsewhere(lock)

    assert in_a_child(lambda: lock().acquire(timeout=PATIENCE / 2), announced)


@both_ways
def test_a_queue_in_memory_can_be_used_in_a_child_whatever_a_thread_of_the_parent_was_doing(held_elsewhere, announced):
    invoker = Invoker.from_url("memory://forked-amid-a-write/", registry=CommandRegistry())
    held_elsewhere(invoker.queue.space.lock)

    assert in_a_child(lambda: invoker.queue.write(b"x").created, announced)


@both_ways
def test_random_numbers_differ_between_a_process_and_its_child(announced):
    state = randomness().getstate()

    assert in_a_child(lambda: randomness().getstate() != state, announced)


@both_ways
def test_a_consumer_that_was_made_before_a_fork_has_a_name_in_each_process(announced):
    consumer = Consumer(Invoker.from_url("memory://named-twice/", registry=CommandRegistry()))

    assert in_a_child(lambda: consumer.name, announced) != consumer.name


def test_who_is_told_of_forks_hears_nothing_of_one_in_c_and_all_of_the_next():
    class Told(ForkAware):
        def __init__(self):
            self.of = []
            super().__init__()

        def before_fork(self):
            self.of.append("before")

        def after_fork_in_child(self):
            self.of.append("child")

    told = Told()

    def fork_again():
        with Child(lambda: told.of) as grandchild:
            return grandchild.result(PATIENCE)

    assert in_a_child(fork_again, announced=False) == ["before", "child"]


def test_a_server_in_c_that_tells_of_the_child_alone_is_no_error():
    # As uWSGI does with --py-call-osafterfork.
    def begin():
        _after_fork_in_child()
        return ForkAware() is not None

    assert in_a_child(begin, announced=False)


FORKED_IN_C = """
import ctypes, os
from huey_core.backends import PerProcess

announced = []
os.register_at_fork(before=lambda: announced.append("before"), after_in_child=lambda: announced.append("child"))
own = PerProcess(lambda: [os.getpid()])
own()
process = ctypes.PyDLL(None).fork()
if process == 0:
    os._exit(0 if own() == [os.getpid()] and announced == [] else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
"""


def test_a_fork_that_a_library_makes_in_c_is_not_announced_and_noticed():
    # In a process without other threads, beside which such a fork can hang the child's interpreter.
    assert subprocess.run([sys.executable, "-c", FORKED_IN_C], timeout=PATIENCE, check=False).returncode == 0

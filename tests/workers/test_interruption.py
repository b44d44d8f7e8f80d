"""How a command that runs is interrupted, and that nothing else ever is."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time

import pytest

from huey_core.backends import Delivery
from huey_core.exceptions import CommandInterrupted, CommandTimeout, DeliveryLost
from huey_core.workers import Interruption, ThreadInterruption
from huey_core.workers.interruption import NoInterruption

PATIENCE = 10.0
AT_LIMIT = 0.0001

numbers = itertools.count(1)


def delivery():
    number = str(next(numbers))
    return Delivery(b"", number, f"receipt-{number}", 1)


def loop(until=None):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and not (until is not None and until.is_set()):
        pass
    return "ended by itself"


@pytest.fixture
def interruption():
    """That of the thread of the test."""
    return ThreadInterruption()


def interrupted_from_another_thread(interruption, one, error=CommandInterrupted):
    """What runs the loop while another thread interrupts it."""
    answers, began = [], threading.Event()

    def interrupt():
        began.wait(PATIENCE)
        answers.append(interruption.interrupt(one, error))

    def work():
        began.set()
        return loop()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        return interruption.call(one, None, work), answers
    finally:
        thread.join(PATIENCE)


def test_a_loop_of_python_is_interrupted_when_its_time_is_up(interruption):
    with pytest.raises(CommandTimeout, match=r"timeout of 0\.01 s"):
        interruption.call(delivery(), 0.01, loop)


def test_a_loop_of_python_is_interrupted_by_another_thread(interruption):
    with pytest.raises(DeliveryLost):
        interrupted_from_another_thread(interruption, delivery(), DeliveryLost)


def test_what_ends_in_time_returns_its_value(interruption):
    assert interruption.call(delivery(), 3600.0, lambda: 5) == 5


def test_what_raises_passes_through(interruption):
    with pytest.raises(ZeroDivisionError):
        interruption.call(delivery(), 3600.0, lambda: 1 / 0)


def test_what_was_to_end_before_it_began_does_not_begin(interruption):
    one, began = delivery(), []
    assert interruption.interrupt(one, CommandInterrupted)

    with pytest.raises(CommandInterrupted):
        interruption.call(one, None, lambda: began.append(True))
    assert not began


def test_what_has_ended_is_not_interrupted_and_neither_is_what_comes_next(interruption):
    first = delivery()
    interruption.call(first, None, lambda: None)

    assert not interruption.interrupt(first, CommandInterrupted)
    assert interruption.call(delivery(), None, lambda: "next") == "next"


def test_it_is_interrupted_once(interruption):
    one = delivery()

    def stubborn():
        assert interruption.interrupt(one, CommandInterrupted)
        assert not interruption.interrupt(one, CommandInterrupted)
        loop()

    with pytest.raises(CommandInterrupted):
        interruption.call(one, None, stubborn)


def test_what_comes_too_late_is_withdrawn(interruption):
    one = delivery()

    def raised_and_caught():
        try:
            interruption.interrupt(one, CommandInterrupted)
            loop()
        except CommandInterrupted:
            return "cleaned up"

    assert interruption.call(one, None, raised_and_caught) == "cleaned up"
    assert loop(until=type("Now", (), {"is_set": staticmethod(lambda: True)})) == "ended by itself"


def test_a_command_may_ask_what_it_is_to_end_with(interruption):
    one = delivery()
    interruption.interrupt(one, DeliveryLost)

    assert isinstance(interruption.error(one), DeliveryLost)
    assert interruption.error(delivery()) is None


def test_a_command_may_ask_for_its_deadline(interruption):
    one = delivery()

    left = interruption.call(one, 100.0, lambda: interruption.deadline(one) - time.monotonic())

    assert 0 < left <= 100
    assert interruption.deadline(one) is None


def test_without_a_way_to_interrupt_the_deadline_is_known_all_the_same():
    interruption, one = NoInterruption(), delivery()

    assert interruption.call(one, 0.001, lambda: interruption.deadline(one)) is not None


def test_a_task_is_cancelled_and_the_error_is_known():
    interruption, one = Interruption(), delivery()

    async def command():
        interruption.run_in(asyncio.current_task())
        await asyncio.sleep(PATIENCE)

    with pytest.raises(asyncio.CancelledError):
        interruption.call(one, 0.01, lambda: asyncio.run(command()))
    assert isinstance(interruption.error(one), CommandTimeout)


def test_what_does_not_end_in_its_grace_is_logged(caplog):
    interruption, one = ThreadInterruption(grace=0.01), delivery()

    def stubborn():
        try:
            loop()
        except CommandTimeout:
            end = time.monotonic() + PATIENCE
            while "has not ended" not in caplog.text and time.monotonic() < end:
                time.sleep(0.001)

    interruption.call(one, 0.001, stubborn)

    assert f"message {one.message_id} was interrupted by CommandTimeout 0.01 s ago" in caplog.text


def test_commands_that_end_at_their_limit_are_interrupted_or_not_and_nothing_else_is():
    """Ten thousand of them, in two threads, each followed by what stands for the hooks after a command."""
    outcomes, stray = [], []

    def work(seed):
        interruption, chance = ThreadInterruption(), random.Random(seed)
        try:
            for _ in range(5_000):
                pause = AT_LIMIT * chance.uniform(0.5, 1.5)
                try:
                    outcomes.append(interruption.call(delivery(), AT_LIMIT, lambda pause=pause: time.sleep(pause)))
                except CommandTimeout:
                    outcomes.append("timeout")
                for _ in range(20):
                    str(seed)
        except BaseException as error:  # noqa: BLE001 - whatever comes outside of a command
            stray.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not stray
    assert len(outcomes) == 10_000
    assert set(outcomes) == {None, "timeout"}

"""How a command that runs is interrupted, and that nothing else ever is."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import random
import sys
import threading
import time
import weakref
from collections import Counter
from functools import partial

import pytest

from huey_core.backends import Delivery
from huey_core.exceptions import CommandInterrupted, CommandTimeout, DeliveryLost
from huey_core.workers import Interruption, TaskInterruption, ThreadInterruption
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


@pytest.mark.parametrize("kind", [Interruption, TaskInterruption])
class TestTasks:
    def test_a_task_is_cancelled_where_it_awaits(self, kind):
        async def main():
            await kind().call_async(delivery(), 0.01, partial(asyncio.sleep, PATIENCE))

        with pytest.raises(CommandTimeout, match=r"its timeout of 0\.01 s"):
            asyncio.run(main())

    def test_what_is_done_behind_it_is_not_cancelled(self, kind):
        async def swallow():
            try:
                await asyncio.sleep(PATIENCE)
            except asyncio.CancelledError:
                return "cleaned up"

        async def main():
            ended = await kind().call_async(delivery(), 0.01, swallow)
            await asyncio.sleep(0.01)
            return ended, asyncio.current_task().cancelling()

        assert asyncio.run(main()) == ("cleaned up", 0)

    def test_one_that_was_to_be_interrupted_before_it_began_does_not_begin(self, kind):
        async def main():
            interruption, one = kind(), delivery()
            interruption.interrupt(one, DeliveryLost)
            await interruption.call_async(one, None, begun.append)

        begun = []
        with pytest.raises(DeliveryLost):
            asyncio.run(main())
        assert begun == []

    def test_one_that_cancels_itself_has_failed(self, kind):
        async def cancel():
            asyncio.current_task().cancel()
            await asyncio.sleep(PATIENCE)

        async def main():
            await kind().call_async(delivery(), None, cancel)

        with pytest.raises(RuntimeError, match="the coroutine was cancelled"):
            asyncio.run(main())

    def test_one_that_cancels_itself_and_waits_for_nothing_does_not_cancel_what_is_done_behind_it(self, kind):
        async def cancel():
            asyncio.current_task().cancel()
            return "ended"

        async def main():
            ended = await kind().call_async(delivery(), None, cancel)
            await asyncio.sleep(0)
            return ended, asyncio.current_task().cancelling()

        assert asyncio.run(main()) == ("ended", 0)

    def test_one_that_has_ended_is_not_interrupted(self, kind):
        async def main():
            interruption, one = kind(), delivery()
            await interruption.call_async(one, None, partial(asyncio.sleep, 0))
            return interruption.interrupt(one, DeliveryLost)

        assert asyncio.run(main()) is False

    def test_a_run_leaves_no_cycle_behind_for_the_garbage_collector(self, kind):
        async def run():
            interruption = kind()
            # As what runs there knows it, by the current command.
            seen.set(interruption)
            await interruption.call_async(delivery(), None, partial(asyncio.sleep, 0))
            return weakref.ref(interruption)

        async def main():
            return await asyncio.create_task(run(), context=contextvars.Context())

        seen = contextvars.ContextVar("seen")
        gc.disable()
        try:
            assert asyncio.run(main())() is None
        finally:
            gc.enable()

    def test_ten_thousand_that_end_at_their_limit_are_interrupted_or_not_and_nothing_else_is(self, kind):
        async def one_after_another(seed):
            interruption, chance = kind(), random.Random(seed)
            for _ in range(500):
                try:
                    pause = AT_LIMIT * chance.uniform(0.5, 1.5)
                    await interruption.call_async(delivery(), AT_LIMIT, partial(asyncio.sleep, pause))
                    outcomes.append("returned")
                except CommandTimeout:
                    outcomes.append("interrupted")
                # Where the hooks behind a command wait.
                await asyncio.sleep(0)

        async def main():
            await asyncio.gather(*(one_after_another(seed) for seed in range(20)))

        outcomes = []
        asyncio.run(main())

        assert len(outcomes) == 10_000
        assert set(outcomes) == {"returned", "interrupted"}


def test_in_a_thread_what_follows_a_task_can_be_interrupted():
    interruption, one = ThreadInterruption(), delivery()
    asyncio.run(interruption.call_async(one, None, partial(asyncio.sleep, 0)))

    with pytest.raises(CommandTimeout):
        interruption.call(delivery(), 0.01, loop)


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


@pytest.fixture
def quick_switches():
    """Let threads take turns after any instruction, as good as."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def compute(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@pytest.mark.usefixtures("quick_switches")
def test_ten_thousand_commands_that_end_at_their_limit_are_interrupted_or_not_and_nothing_else_is():
    """Each is followed by what stands for the hooks behind it, which goes on for as long."""
    interruption, chance, outcomes = ThreadInterruption(), random.Random(1), Counter()

    for _ in range(10_000):
        pause = AT_LIMIT * chance.uniform(0.5, 1.5)
        try:
            interruption.call(delivery(), AT_LIMIT, partial(compute, pause))
            outcomes["returned"] += 1
        except CommandTimeout:
            outcomes["interrupted"] += 1
        compute(AT_LIMIT / 4)

    assert outcomes.total() == 10_000
    assert min(outcomes["returned"], outcomes["interrupted"]) > 100

"""Each caller gets its own error, and all those of a write what the server says."""

from __future__ import annotations

import asyncio
import enum

from hypothesis import given
from hypothesis.strategies import booleans, lists, sampled_from

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.exceptions import CommandRejected, EncodeError, MessageTooLarge, QueueWriteException
from huey_memory import MemoryDataStore
from plain_backend import PlainQueue
from watched_queue import PATIENCE, Refusing, WatchedQueue


def test_each_caller_gets_its_own_error_and_the_others_their_handles(add, queue):
    live = add.using(unique_key="sum")
    large = "x" * 200_000

    async def call():
        calls = [add.acall(1), add.acall(object()), add.acall(), add.acall(-1), add.acall(large), live.acall(1)]
        return await asyncio.gather(*calls, live.acall(2), add.acall(large), add.acall(3), return_exceptions=True)

    first, carried, fitting, rejected, too_large, unique, taken, too_large_as_well, last = asyncio.run(call())

    assert isinstance(carried, EncodeError)
    assert isinstance(fitting, TypeError)
    assert isinstance(rejected, CommandRejected)
    assert isinstance(too_large, MessageTooLarge)
    assert isinstance(too_large_as_well, MessageTooLarge)
    assert taken.task_id == unique.task_id
    assert {message.message_id for message in queue.peek("ready")} == {
        first.task_id,
        unique.task_id,
        last.task_id,
    }


def test_of_several_commands_none_is_written_if_one_cannot_be_encoded(add, invoker, queue):
    async def call():
        together = invoker.aenqueue_many([add.command(1), add.command(object())])
        return await asyncio.gather(together, add.acall(2), return_exceptions=True)

    refused, other = asyncio.run(call())

    assert isinstance(refused, EncodeError)
    assert queue.writes == [[other.task_id]]


def test_an_error_of_the_server_reaches_every_caller_of_that_write_and_the_next_one_is_tried(add, queue):
    queue.error = ConnectionError("the cable is out")

    async def call():
        together = await asyncio.gather(*(add.acall(number) for number in range(10)), return_exceptions=True)
        queue.error = None
        return together, await add.acall(11)

    errors, later = asyncio.run(call())

    assert {type(error) for error in errors} == {QueueWriteException}
    assert "the cable is out" in str(errors[0])
    assert queue.writes == [[later.task_id]]


def test_an_error_that_many_callers_get_has_a_traceback_of_each_caller_alone(add, queue):
    queue.error = ConnectionError("the cable is out")
    depths = []

    async def call_one():
        try:
            await add.acall(1)
        except QueueWriteException as error:
            traceback, depth = error.__traceback__, 0
            while traceback is not None:
                traceback, depth = traceback.tb_next, depth + 1
            depths.append(depth)

    async def call():
        await asyncio.gather(*(call_one() for _ in range(50)))

    asyncio.run(call())

    assert len(depths) == 50
    assert len(set(depths)) == 1


def test_on_a_plain_queue_what_was_written_before_an_error_is_known_to_be():
    class FailingAfter(PlainQueue):
        def write(self, data):
            if len(self.messages) == 2:
                raise ConnectionError("the cable is out")
            super().write(data)

    invoker = Invoker(FailingAfter(), MemoryDataStore("plain"), registry=CommandRegistry())

    @queue_command(invoker, name="add")
    def add(a): ...

    async def call():
        return await asyncio.gather(*(add.acall(number) for number in range(4)), return_exceptions=True)

    outcomes = asyncio.run(call())

    assert [isinstance(outcome, QueueWriteException) for outcome in outcomes] == [False, False, True, True]


def test_an_error_of_one_queue_is_not_that_of_another_s_callers(invoker, add):
    beside = invoker.on_queue("beside")
    beside.queue.error = ConnectionError("no such slot")

    async def call():
        return await asyncio.gather(
            add.using(queue="beside").acall(1),
            add.acall(2),
            invoker.aenqueue_many([add.using(queue="beside").command(3), add.command(4)]),
            return_exceptions=True,
        )

    failed, written, failed_with_it = asyncio.run(call())

    assert isinstance(failed, QueueWriteException)
    assert isinstance(failed_with_it, QueueWriteException)
    assert invoker.queue.writes == [[written.task_id]]


class Outcome(enum.Enum):
    """What is to become of a call."""

    WRITTEN = enum.auto()
    NOT_ENCODED = enum.auto()
    REJECTED = enum.auto()
    TOO_LARGE = enum.auto()
    CANCELLED = enum.auto()


ARGUMENTS = {Outcome.NOT_ENCODED: object(), Outcome.REJECTED: -1, Outcome.TOO_LARGE: "x" * 200_000}
ERRORS = {
    Outcome.NOT_ENCODED: EncodeError,
    Outcome.REJECTED: CommandRejected,
    Outcome.TOO_LARGE: MessageTooLarge,
}


@given(
    tasks=lists(lists(sampled_from(Outcome), min_size=1, max_size=5), min_size=1, max_size=8),
    failing=lists(booleans(), max_size=10),
)
def test_whatever_becomes_of_others_each_call_gets_what_is_its_own(tasks, failing):
    class FailingQueue(WatchedQueue):
        def write_many(self, messages):
            written = super().write_many(messages)
            if failures and failures.pop():
                raise ConnectionError("the reply was lost")
            return written

    failures = list(failing)
    queue = FailingQueue("whatever")
    invoker = Invoker(queue, MemoryDataStore("whatever"), registry=CommandRegistry(), plugins=[Refusing()])
    add = queue_command(invoker, name="add")(lambda a: a)

    async def call(outcome):
        command = add.command(ARGUMENTS.get(outcome, 1))
        calling = asyncio.create_task(invoker.aenqueue(command))
        if outcome is Outcome.CANCELLED:
            await asyncio.sleep(0)
            calling.cancel()
        [got] = await asyncio.gather(calling, return_exceptions=True)
        return outcome, command, got

    async def call_one_by_one(outcomes):
        return [await call(outcome) for outcome in outcomes]

    async def call_all():
        async with asyncio.timeout(PATIENCE):
            return await asyncio.gather(*(call_one_by_one(outcomes) for outcomes in tasks))

    of_tasks = asyncio.run(call_all())

    ids = [message.message_id for message in queue.peek("ready", limit=1000)]
    assert len(ids) == len(set(ids))
    for of_task in of_tasks:
        for outcome, command, got in of_task:
            if expected := ERRORS.get(outcome):
                assert isinstance(got, expected)
                assert command.task_id not in ids
            elif outcome is Outcome.WRITTEN and not isinstance(got, QueueWriteException):
                assert got.task_id == command.task_id
                assert command.task_id in ids
            else:
                assert isinstance(got, QueueWriteException | asyncio.CancelledError)
        own = [command.task_id for _, command, _ in of_task if command.task_id in ids]
        assert sorted(own, key=ids.index) == own
    queue.flush()

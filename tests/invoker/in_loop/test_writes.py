"""What is enqueued together travels together, in order and in bounded portions."""

from __future__ import annotations

import asyncio
import threading

from huey_core import queue_command
from watched_queue import until


def test_calls_that_come_together_travel_in_one_write_and_in_order(add, queue):
    async def call():
        return await asyncio.gather(*(add.acall(number) for number in range(100)))

    handles = asyncio.run(call())

    assert queue.writes == [[handle.task_id for handle in handles]]


def test_what_comes_while_a_write_is_under_way_is_the_next_write(add, queue):
    queue.gate.clear()

    async def call():
        first = asyncio.create_task(add.acall(0))
        await until(queue.begun.is_set)
        others = [asyncio.create_task(add.acall(number)) for number in range(1, 20)]
        await asyncio.sleep(0)
        queue.gate.set()
        await asyncio.gather(first, *others)

    asyncio.run(call())

    assert [len(ids) for ids in queue.writes] == [1, 19]


def test_a_write_takes_a_bounded_number_of_commands(add, queue):
    async def call():
        await asyncio.gather(*(add.acall(number) for number in range(1001)))

    asyncio.run(call())

    assert [len(ids) for ids in queue.writes] == [500, 500, 1]


def test_a_write_takes_a_bounded_number_of_bytes(add, queue):
    async def call():
        await asyncio.gather(*(add.acall("x" * 90_000) for _ in range(60)))

    asyncio.run(call())

    assert [len(ids) for ids in queue.writes] == [47, 13]


def test_one_task_s_calls_keep_their_order(add, queue):
    async def call_one_by_one():
        return [(await add.acall(number)).task_id for number in range(20)]

    async def call():
        return await asyncio.gather(*(call_one_by_one() for _ in range(5)))

    in_order = asyncio.run(call())

    written = [message_id for ids in queue.writes for message_id in ids]
    for ids in in_order:
        assert [message_id for message_id in written if message_id in set(ids)] == ids
    assert len(queue.writes) < 50


def test_several_commands_are_written_in_order_with_those_of_others(add, invoker, queue):
    async def call():
        return await asyncio.gather(
            invoker.aenqueue_many([add.command(1), add.command(2)]),
            invoker.aenqueue(add.command(3)),
            invoker.aenqueue_many(add.command(number) for number in range(4, 6)),
            invoker.aenqueue_many([]),
        )

    first, third, last, nothing = asyncio.run(call())

    assert queue.writes == [[handle.task_id for handle in [*first, third, *last]]]
    assert nothing == []


def test_nobody_waits_behind_very_many_commands(add, invoker, queue):
    queue.gate.clear()

    async def call():
        many = asyncio.create_task(invoker.aenqueue_many(add.command(number) for number in range(2000)))
        await until(queue.begun.is_set)
        held, queue.gate = queue.gate, threading.Event()
        queue.gate.set()
        one = await add.acall(1)
        alone = list(queue.writes)
        held.set()
        return one, alone, await many

    one, alone, many = asyncio.run(call())

    assert alone == [[one.task_id]]
    assert queue.writes[1] == [handle.task_id for handle in many]


def test_calls_of_other_queues_are_written_to_theirs(invoker, add):
    beside = invoker.on_queue("beside")

    @queue_command(invoker, name="beside", queue="beside")
    def of_beside(): ...

    async def call():
        return await asyncio.gather(
            add.acall(1),
            add.using(queue="beside").acall(2),
            of_beside.acall(),
            beside.aenqueue(add.command(3)),
            invoker.aenqueue_many([of_beside.command(), add.command(4)]),
        )

    first, second, third, fourth, (fifth, sixth) = asyncio.run(call())

    assert [message.message_id for message in invoker.queue.peek("ready")] == [first.task_id, sixth.task_id]
    assert [message.message_id for message in beside.queue.peek("ready")] == [
        second.task_id,
        third.task_id,
        fourth.task_id,
        fifth.task_id,
    ]
    assert {handle.invoker for handle in (second, third, fourth, fifth)} == {beside}
    beside.flush()

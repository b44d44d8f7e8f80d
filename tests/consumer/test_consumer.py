"""What a consumer does with commands, good and bad."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest

from huey_core import CommandRegistry, Invoker, QueueCommand, queue_command
from huey_core.backends.messages import Message
from huey_core.backends.outcomes import Ack
from huey_core.consumer import Consumer
from huey_core.exceptions import CommandError, CommandExpired, QueueReadException
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue

PATIENCE = 30.0


def test_a_command_runs_and_its_result_arrives(invoker, add, result_of):
    assert result_of(add(1, b=2)) == 3


def test_what_a_message_says_of_itself_cannot_forge_a_line_of_the_log(invoker, run_consumer, eventually, caplog):
    @queue_command(invoker, name="shop.fail")
    def fail():
        raise ValueError

    forging = {"id": "a>\nCRITICAL root: forged \x1b[31m", "cmd": "shop.fail", "ser": "json", "at": 1.0}
    invoker.queue.write_many([Message(b"HUEY/1 " + json.dumps(forging).encode() + b"\n[[],{}]")])

    run_consumer(invoker)

    eventually(lambda: invoker.queue.counts().dead)
    assert any("forged" in message for message in caplog.messages)
    assert all(message.isprintable() for message in caplog.messages)


def test_a_consumer_of_a_paused_queue_says_so(invoker, run_consumer, caplog):
    invoker.queue.pause()

    run_consumer(invoker)

    assert f"queue {invoker.queue.name!r}: ready, but it is paused; 'huey resume' lets it go on" in caplog.messages


def test_a_message_whose_earlier_delivery_had_no_outcome_is_in_the_log(invoker, run_consumer, caplog):
    @queue_command(invoker, name="shop.add")
    def add(a, b):
        return a + b

    result = add(1, 2)
    invoker.queue.claim(1, lease=0.01)
    run_consumer(invoker)
    assert result.get(blocking=True, timeout=60) == 3

    (line,) = [message for message in caplog.messages if "is in delivery" in message]
    assert ("shop.add" in line, "is in delivery 2," in line, "after 5 such deliveries" in line) == (True, True, True)


def test_a_message_that_is_tried_again_is_not_taken_for_one_without_an_outcome(invoker, result_of, caplog):
    @queue_command(invoker, retries=1)
    def fail():
        raise LookupError("gone")

    caplog.set_level("INFO")
    with pytest.raises(CommandError):
        result_of(fail())

    assert any("raised LookupError: gone, retrying in" in message for message in caplog.messages)
    assert "is in delivery" not in caplog.text


def test_a_consumer_can_run_in_a_block(invoker, add):
    with Consumer(invoker, periodic=False).running():
        assert add(1, 2).get(blocking=True, timeout=PATIENCE) == 3


def test_a_scheduled_command_does_not_run_early(invoker, run_consumer):
    @queue_command(invoker)
    def when():
        return time.time()

    run_consumer(invoker)
    not_before = time.time() + 0.2

    assert when.schedule(delay=0.2).get(blocking=True, timeout=PATIENCE) >= not_before


def test_an_async_function_is_awaited(invoker, result_of):
    @queue_command(invoker)
    async def answer():
        return 42

    assert result_of(answer()) == 42


def test_a_command_that_raised_is_tried_again(invoker, result_of):
    attempts = []

    @queue_command(invoker, retries=2)
    def fragile():
        attempts.append(1)
        if len(attempts) < 3:
            raise OSError("not yet")
        return len(attempts)

    assert result_of(fragile()) == 3


def test_a_retry_waits_for_its_delay(invoker, run_consumer):
    times = []

    @queue_command(invoker, retries=1, retry_delay=0.2)
    def fragile():
        times.append(time.monotonic())
        if len(times) == 1:
            raise OSError("not yet")
        return True

    run_consumer(invoker)
    fragile().get(blocking=True, timeout=PATIENCE)

    assert times[1] - times[0] >= 0.2


def test_a_command_that_failed_for_good_becomes_a_dead_letter_with_its_traceback(invoker, run_consumer, eventually):
    @queue_command(invoker, retries=1)
    def fail():
        raise LookupError("gone")

    run_consumer(invoker)
    result = fail()
    eventually(lambda: invoker.queue.counts().dead == 1)

    [dead] = invoker.queue.peek("dead")
    assert dead.message_id == result.task_id
    assert dead.reason == "LookupError: gone"
    assert "in fail" in dead.detail
    with pytest.raises(CommandError):
        result.get(blocking=True, timeout=PATIENCE)


def test_a_dead_letter_runs_again_when_it_is_requeued(invoker, run_consumer, eventually):
    healthy = threading.Event()

    @queue_command(invoker)
    def fragile():
        if not healthy.is_set():
            raise OSError("down")
        return "up"

    run_consumer(invoker)
    result = fragile()
    eventually(lambda: invoker.queue.counts().dead == 1)
    healthy.set()
    invoker.queue.requeue([result.task_id])

    eventually(lambda: invoker.result(result.task_id).invoker.queue.counts().dead == 0)

    def succeeded() -> bool:
        try:
            return invoker.result(result.task_id).get() == "up"
        except CommandError:
            return False

    eventually(succeeded)


def test_a_failed_command_is_not_kept_when_it_asks_not_to_be(invoker, run_consumer, eventually):
    @queue_command(invoker, keep_failed=False)
    def fail():
        raise LookupError("gone")

    consumer = run_consumer(invoker)
    fail()
    eventually(lambda: consumer.stats.done == 1)

    assert invoker.queue.counts().dead == 0


class Fatal(BaseException):
    pass


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), Fatal()])
def test_a_command_that_raises_what_is_no_exception_fails_and_its_worker_goes_on(invoker, run_consumer, error):
    @queue_command(invoker)
    def leave():
        raise error

    @queue_command(invoker)
    def stay():
        return "here"

    run_consumer(invoker, threads=1)
    result = leave()

    assert stay().get(blocking=True, timeout=PATIENCE) == "here"
    with pytest.raises(CommandError, match=type(error).__name__):
        result.get(blocking=True, timeout=PATIENCE)


def test_a_result_that_cannot_be_carried_fails_the_command_without_a_retry(invoker, result_of):
    runs = []

    @queue_command(invoker, retries=5)
    def answer():
        runs.append(1)
        return object()

    with pytest.raises(CommandError, match="EncodeError"):
        result_of(answer())
    assert len(runs) == 1


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("there are no words for it")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(FileNotFoundError("no caf\udce9.txt"), r"no caf\udce9.txt", id="no-unicode"),
        pytest.param(Unspeakable(), "Unspeakable", id="no-text"),
    ],
)
def test_an_error_that_cannot_be_told_as_it_is_reaches_its_caller_all_the_same(
    invoker, result_of, eventually, error, told
):
    @queue_command(invoker)
    def fail():
        raise error

    with pytest.raises(CommandError) as caught:
        result_of(fail())
    assert told in str(caught.value)
    eventually(lambda: [told in dead.reason for dead in invoker.queue.peek("dead")] == [True])


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\x00garbage", "not a"),
        (b"HUEY/9 {}\n", "version 9"),
        (b'HUEY/1 {"id":"1","cmd":"shop.gone","ser":"json"}\nnull', "shop.gone"),
        (b'HUEY/1 {"id":"1","cmd":"shop.gone","ser":"pickle"}\nnull', "pickle"),
        (b'HUEY/1 {"id":"1","cmd":"shop.gone","ser":"json"}\n{{{', "shop.gone"),
    ],
)
def test_a_message_that_cannot_be_read_is_buried_and_the_consumer_goes_on(
    invoker, run_consumer, eventually, message, reason
):
    @queue_command(invoker)
    def add(a, b):
        return a + b

    unreadable = invoker.queue.write(message).message_id
    results = [add(number, 1) for number in range(10)]
    run_consumer(invoker, threads=1, unreadable_delay=0.01)

    assert [result.get(blocking=True, timeout=PATIENCE) for result in results] == list(range(1, 11))
    eventually(lambda: invoker.queue.counts().dead == 1)
    [dead] = invoker.queue.peek("dead")
    assert dead.data == message
    assert reason in dead.reason
    with pytest.raises(CommandError, match=reason):
        invoker.result(unreadable).get(blocking=True, timeout=PATIENCE)


def test_an_unknown_command_waits_for_a_consumer_that_knows_it(invoker, make_invoker, run_consumer, eventually):
    newer = make_invoker()

    @queue_command(newer, name="added.later")
    def added():
        return "known"

    result = added()
    # It would be buried before long, and this test must not have to be quick.
    invoker.queue.max_deliveries = 10**6
    old = run_consumer(invoker, unreadable_delay=0.05)
    eventually(lambda: old.stats.retried >= 1)
    invoker.registry.register(added.command_class)

    assert result.get(blocking=True, timeout=PATIENCE) == "known"


def test_a_consumer_does_not_start_when_the_server_does_not_answer(make_invoker):
    class Unreachable(MemoryQueue):
        def counts(self):
            raise ConnectionError("the cable is out")

    invoker = make_invoker()
    invoker.queue = Unreachable("x")

    with pytest.raises(QueueReadException, match="the cable is out"):
        Consumer(invoker).start()


def test_slow_commands_are_not_claimed_ahead(invoker, run_consumer, eventually):
    release = threading.Event()

    @queue_command(invoker)
    def slow():
        release.wait(PATIENCE)

    consumer = run_consumer(invoker, threads=2)
    for _ in range(10):
        slow()
    eventually(lambda: len(consumer.snapshot().running) == 2)

    assert len(consumer.queues[0].in_flight) == 2
    assert invoker.queue.counts().ready == 8
    release.set()
    eventually(lambda: consumer.stats.done == 10)


def test_messages_claimed_ahead_are_given_back_when_every_worker_is_stuck(invoker, run_consumer, eventually):
    release = threading.Event()

    @queue_command(invoker)
    def quick(): ...

    @queue_command(invoker)
    def slow():
        release.wait(2 * PATIENCE)

    invoker.enqueue_many([quick.command() for _ in range(500)])
    invoker.enqueue_many([slow.command() for _ in range(50)])
    consumer = run_consumer(invoker, threads=2)

    eventually(lambda: len(consumer.queues[0].in_flight) == 2 and invoker.queue.counts().ready == 48)

    release.set()
    eventually(lambda: consumer.stats.done == 550)


def test_a_settled_command_is_not_held_up_by_a_slow_neighbour(invoker, run_consumer):
    release = threading.Event()

    @queue_command(invoker)
    def slow():
        release.wait(2 * PATIENCE)

    @queue_command(invoker)
    def quick():
        return "done"

    run_consumer(invoker, threads=2)
    slow()

    assert quick().get(blocking=True, timeout=PATIENCE) == "done"
    release.set()


def test_quick_results_behind_slow_neighbours_are_not_held_up(invoker, run_consumer, eventually):
    release = threading.Event()

    @queue_command(invoker)
    def quick(number):
        return number

    @queue_command(invoker)
    def slow():
        release.wait(3 * PATIENCE)

    consumer = run_consumer(invoker, threads=2)
    invoker.enqueue_many([quick.command(number) for number in range(300)])
    eventually(lambda: consumer.stats.done == 300)
    first, *_, last = invoker.enqueue_many([quick.command(1), slow.command(), slow.command(), quick.command(2)])

    assert first.get(blocking=True, timeout=PATIENCE) == 1
    eventually(lambda: invoker.queue.counts().ready == 1, "what waits behind the slow ones is given back", PATIENCE)
    release.set()
    assert last.get(blocking=True, timeout=PATIENCE) == 2


def test_an_error_that_a_child_left_behind_is_a_failure_of_the_command(invoker, result_of, eventually):
    runs = []

    @queue_command(invoker, retries=1)
    def parent():
        runs.append(1)
        raise CommandExpired("the child had expired")

    with pytest.raises(CommandError, match="the child had expired"):
        result_of(parent())
    assert len(runs) == 2


def test_a_coroutine_that_was_cancelled_fails(invoker, result_of):
    @queue_command(invoker)
    async def cancelled():
        import asyncio

        raise asyncio.CancelledError

    with pytest.raises(CommandError, match="cancelled"):
        result_of(cancelled())


def test_a_priority_of_one_call_survives_a_retry(invoker, run_consumer, eventually):
    @queue_command(invoker, retries=1, retry_delay=60)
    def fragile():
        raise OSError("not yet")

    consumer = run_consumer(invoker)
    fragile.using(priority=7)()
    eventually(lambda: consumer.stats.retried == 1)

    [message] = invoker.queue.peek("scheduled")
    assert invoker.codec.decode(message.data).options.priority == 7


def test_a_command_expires_by_the_clock_of_the_queue(result_of):
    clock = ManualClock(1_000_000.0)
    invoker = Invoker(MemoryQueue("q", clock=clock), MemoryDataStore("q", clock=clock), registry=CommandRegistry())

    @queue_command(invoker, expires=60)
    def soon():
        return "in time"

    command = soon.command()
    command.enqueued_at, command.expires_at = clock(), clock() + 60
    assert result_of(invoker.enqueue(command)) == "in time"


def test_a_follow_up_written_with_the_ack_runs_too(invoker, result_of, eventually):
    class Echo(QueueCommand, declare=False):
        command_name = "tests.echo"

        def execute(self):
            return self.data

    invoker.registry.register(Echo)
    follow_up = Echo("after")
    invoker.enqueue(Echo("before"))
    [delivery] = invoker.queue.claim(1, 60).deliveries
    from huey_core.backends.messages import Message

    invoker.queue.settle([Ack(delivery, None, (Message(invoker.codec.encode(follow_up), follow_up.task_id),))])
    assert result_of(invoker.result(follow_up.task_id)) == "after"

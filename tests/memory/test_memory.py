"""What is particular to huey-memory: who shares what, the clock, and what the contract leaves to the backend."""

from __future__ import annotations

import logging
import math
import re
import threading
import uuid
from pathlib import Path

import pytest

import huey_memory
from huey_core.backends.base import EmptyData
from huey_core.backends.messages import Message, State
from huey_core.backends.outcomes import Ack, ResultWrite, Retry
from huey_core.exceptions import ConfigurationError, MessageTooLarge, QueueException, Unsupported
from huey_core.plugins.backends import open_backend
from huey_memory import ManualClock, MemoryBackend, MemoryDataStore, MemoryQueue

README = Path(__file__).parents[2] / "plugins" / "huey_memory" / "README.md"


@pytest.fixture
def name():
    """A name that is new to the memory of this process."""
    return uuid.uuid4().hex


class TestSharing:
    def test_one_name_is_one_queue_in_the_whole_process(self, name):
        MemoryQueue(name).write(b"x")
        assert MemoryQueue(name).read() == b"x"

    def test_a_queue_by_url_is_the_one_without_a_url(self, name):
        open_backend("memory://").queue(name).write(b"x")
        assert MemoryQueue(name).read() == b"x"

    def test_messages_stay_when_every_object_is_gone(self, name, clock):
        MemoryQueue(name, clock=clock).write(b"x")
        assert MemoryQueue(name, clock=clock).read() == b"x"

    def test_a_space_of_another_name_shares_nothing(self, name):
        open_backend("memory://one/").queue(name).write(b"x")
        assert open_backend("memory://two/").queue(name).read() is None
        assert open_backend("memory://one").queue(name).read() == b"x"

    def test_another_clock_shares_nothing(self, name, clock):
        MemoryQueue(name, clock=clock).write(b"x")
        assert MemoryQueue(name, clock=ManualClock()).read() is None

    def test_clear_empties_its_space_and_no_other(self, name, clock):
        here, there = MemoryQueue(name, space="here", clock=clock), MemoryQueue(name, space="there", clock=clock)
        store = MemoryDataStore(name, space="here", clock=clock)
        here.write(b"x")
        here.pause()
        there.write(b"x")
        store.put("key", b"v")
        huey_memory.clear("here", clock)
        assert here.counts() == type(here.counts())(0, 0, 0, 0, paused=False)
        assert store.get("key") is EmptyData
        assert there.read() == b"x"

    def test_a_receipt_from_before_a_clear_fits_nothing_afterwards(self, name, clock):
        queue = MemoryQueue(name, clock=clock)
        queue.write(b"before", message_id="id")
        (before,) = queue.claim(1, 60).deliveries
        huey_memory.clear(clock=clock)
        queue.write(b"after", message_id="id")
        queue.claim(1, 60)
        assert queue.settle([Ack(before)]) == [False]


class TestBackend:
    @pytest.mark.parametrize(
        "url",
        ["memory://a,b/", "memory://a:80/", "memory://a/b", "memory:///b", "memory://user@a/", "memory://u:pw@a/"],
    )
    def test_a_url_with_more_than_a_space_is_refused(self, url):
        with pytest.raises(ConfigurationError, match="memory://space/"):
            open_backend(url)

    def test_a_clock_of_its_own_reaches_its_queues_and_stores(self, name, clock):
        backend = MemoryBackend(open_backend("memory://").url, clock=clock)
        assert backend.queue(name).now() == clock()
        backend.data_store(name).put("key", b"v", ttl=10)
        clock.advance(11)
        assert backend.data_store(name).get("key") is EmptyData


class TestClosing:
    def test_what_was_closed_raises_and_leaves_its_messages_and_values_to_others(self, name, clock):
        queue, store = MemoryQueue(name, clock=clock), MemoryDataStore(name, clock=clock)
        queue.write(b"x")
        store.put("key", b"v")
        for closed in (queue, store):
            closed.close()
            closed.close()
        with pytest.raises(QueueException, match="closed by this program"):
            queue.claim(1, 60)
        with pytest.raises(QueueException, match="closed by this program"):
            store.wait("key", 10)
        assert MemoryQueue(name, clock=clock).read() == b"x"
        assert MemoryDataStore(name, clock=clock).get("key") == b"v"

    def test_a_watch_of_a_closed_store_is_not_told_of_writes_by_others(self, name, clock):
        store, told = MemoryDataStore(name, clock=clock), []
        store.watch("key", lambda: told.append("told"))
        store.close()
        MemoryDataStore(name, clock=clock).put("key", b"v")
        assert told == ["told"]

    def test_a_closed_queue_can_still_be_woken(self, name, clock):
        queue = MemoryQueue(name, clock=clock)
        queue.close()
        queue.wake()


class TestClock:
    def test_it_stands_still_until_it_is_moved(self, clock):
        before = clock()
        clock.advance(2.5)
        assert clock() - before == 2.5

    def test_moving_it_ends_a_wait_exactly_when_something_is_due(self, name, clock):
        queue = MemoryQueue(name, clock=clock)
        queue.write(b"x", eta=clock() + 10)
        claimed = []
        waiter = threading.Thread(target=lambda: claimed.extend(queue.claim(1, 60, wait=120).deliveries), daemon=True)
        waiter.start()
        clock.advance(9.5)
        assert claimed == []
        clock.advance(0.5)
        waiter.join(60)
        assert [delivery.data for delivery in claimed] == [b"x"]

    def test_the_patience_of_a_claim_is_real_time(self, name, clock):
        queue = MemoryQueue(name, clock=clock)
        queue.write(b"x", eta=clock() + 10)
        assert queue.claim(1, 60, wait=0.01).deliveries == []


class TestSettling:
    def test_a_result_for_another_space_is_refused_and_nothing_is_settled(self, name, clock):
        queue = MemoryQueue(name, clock=clock)
        foreign = MemoryDataStore(name, space="elsewhere", clock=clock)
        queue.write(b"x")
        (delivery,) = queue.claim(1, 60).deliveries
        assert queue.settles_into(foreign) is False
        with pytest.raises(Unsupported, match="not in the same space"):
            queue.settle([Ack(delivery), Ack(delivery, ResultWrite(foreign, "key", b"v"))])
        assert queue.settle([Ack(delivery)]) == [True]

    def test_a_watcher_that_raises_is_logged_and_harms_nobody(self, name, clock, caplog):
        queue, store = MemoryQueue(name, clock=clock), MemoryDataStore(name, clock=clock)
        told = []
        store.watch("key", lambda: 1 / 0)
        store.watch("key", lambda: told.append(True))
        queue.write(b"x")
        with caplog.at_level(logging.ERROR, "huey_memory"):
            assert queue.settle([Ack(queue.claim(1, 60).deliveries[0], ResultWrite(store, "key", b"v"))]) == [True]
        assert told == [True]
        assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError]

    def test_a_limit_holds_for_retries_and_follow_ups_too(self, name, clock):
        queue = MemoryQueue(name, clock=clock)
        queue.max_message_size = 10
        queue.write(b"x")
        (delivery,) = queue.claim(1, 60).deliveries
        for outcome in (Retry(delivery, bytes(11)), Ack(delivery, follow_ups=(Message(bytes(11)),))):
            with pytest.raises(MessageTooLarge):
                queue.settle([outcome])
        assert queue.counts().running == 1


class TestFloods:
    def test_a_flood_of_crashed_messages_does_not_hide_what_is_behind(self, name, clock):
        queue = MemoryQueue(name, max_deliveries=1, clock=clock)
        queue.write_many([Message(b"crashes") for _ in range(2500)])
        assert len(queue.claim(2500, 60).deliveries) == 2500
        queue.write(b"behind", eta=clock() + 30)
        clock.advance(61)
        assert [delivery.data for delivery in queue.claim(10, 60).deliveries] == [b"behind"]

    def test_many_due_messages_come_back_in_their_order(self, name, clock):
        queue = MemoryQueue(name, clock=clock)
        messages = [Message(b"%d" % number, eta=clock() + 10) for number in range(2500)]
        queue.write_many(messages)
        clock.advance(11)
        claimed = [delivery.data for _ in range(25) for delivery in queue.claim(100, 60).deliveries]
        assert claimed == [message.data for message in messages]

    def test_the_last_buried_is_listed_first(self, name, clock):
        queue = MemoryQueue(name, max_deliveries=1, clock=clock)
        for data in (b"first", b"second"):
            queue.write(data)
            queue.claim(1, 1)
            clock.advance(2)
            assert queue.claim(1, 1).deliveries == []
        assert [message.data for message in queue.peek(State.DEAD)] == [b"second", b"first"]


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL))
def test_the_readme_runs(block):
    exec(compile(block, str(README), "exec"), {})


def test_what_is_no_time_is_none_to_wait_for(name):
    queue = MemoryQueue(name)
    queue.write_many([Message(b"x", "moved"), Message(b"y")])
    assert queue.reschedule(["moved"], math.nan) == ["moved"]
    assert queue.counts().scheduled == 0

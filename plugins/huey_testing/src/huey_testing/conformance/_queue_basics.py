"""What every queue promises, one of four methods included: bytes in, the same bytes out, in order, once, by name."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any, Final

import pytest

from huey_core.backends import Capability, State
from huey_core.exceptions import Unsupported
from huey_testing.conformance._promises import eventually, in_threads, promise, unique_name, within
from huey_testing.conformance._queue_base import QueueFactory, QueueFixtures
from huey_testing.conformance._texts import DIFFICULT_ENDINGS, shown

__all__ = ["QueueBasics"]

PAYLOADS: Final = {
    "empty": b"",
    "nul": b"\x00",
    "nul inside": b"a\x00b",
    "not utf-8": b"\xff\xfe\x80",
    "line ends": b"\r\n\n\r",
    "every byte": bytes(range(256)),
    "1 MiB": bytes(range(256)) * 4096,
}


class QueueBasics(QueueFixtures):
    """Promises of :class:`~huey_core.backends.BaseQueue`."""

    @promise()
    @pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
    def test_bytes_come_out_as_they_went_in(self, queue: Any, payload: bytes) -> None:
        """Without this, a command with an image or a pickled object would arrive damaged and could not be run."""
        queue.write(payload)
        # Compared first: pytest would explain at length how a million bytes differ from another million.
        intact = queue.read() == payload
        assert intact

    @promise()
    def test_messages_come_in_the_order_of_writing(self, queue: Any) -> None:
        """Without this, the oldest command could wait for ever while newer ones overtake it."""
        written = [b"%d" % number for number in range(20)]
        for data in written:
            queue.write(data)
        assert [queue.read() for _ in written] == written

    @promise()
    def test_an_empty_queue_reads_as_none(self, queue: Any) -> None:
        """Without this, an idle consumer would crash or hang instead of looking again."""
        assert within(self.deadline, queue.read, "read() of an empty queue") is None

    @promise()
    def test_a_message_is_read_once(self, queue: Any) -> None:
        """Without this, every command would run again and again."""
        queue.write(b"once")
        assert queue.read() == b"once"
        assert within(self.deadline, queue.read, "read() of an emptied queue") is None
        assert len(queue) == 0

    @promise()
    def test_len_counts_what_waits(self, queue: Any) -> None:
        """Without this, an operator would not see a backlog, or would see one that is not there."""
        lengths = [len(queue)]
        for _ in range(3):
            queue.write(b"same bytes")
            lengths.append(len(queue))
        queue.read()
        lengths.append(len(queue))
        assert lengths == [0, 1, 2, 3, 2]

    @promise()
    def test_names_that_look_alike_share_nothing(self, new_queue: QueueFactory) -> None:
        """Without this, commands of one application would be run by another one's consumer."""
        base = unique_name()
        queues = {ending: new_queue(f"{base}{ending}") for ending in DIFFICULT_ENDINGS}
        for ending, queue in queues.items():
            queue.write(ending.encode())
        assert {ending: len(queue) for ending, queue in queues.items()} == dict.fromkeys(DIFFICULT_ENDINGS, 1)
        assert {ending: queue.read() for ending, queue in queues.items()} == {
            ending: ending.encode() for ending in DIFFICULT_ENDINGS
        }

    @promise()
    def test_a_flush_empties_the_queue(self, queue: Any) -> None:
        """Without this, commands that an operator threw away would run all the same."""
        queue.write(b"one")
        queue.write(b"two")
        queue.flush()
        assert len(queue) == 0
        assert within(self.deadline, queue.read, "read() of a flushed queue") is None

    @promise()
    @pytest.mark.parametrize("ending", DIFFICULT_ENDINGS, ids=shown)
    def test_a_flush_leaves_other_queues_alone(self, new_queue: QueueFactory, ending: str) -> None:
        """Without this, clearing a test queue would delete the commands of production."""
        base = unique_name()
        flushed = new_queue(f"{base}{ending}")
        others = [new_queue(name) for name in (base, f"{base}b", f"{base}abc", f"{base}{ending}2", f"2{base}{ending}")]
        for queue in (flushed, *others):
            queue.write(b"mine")
        flushed.flush()
        assert [queue.read() for queue in others] == [b"mine"] * len(others)

    @promise()
    def test_a_flushed_queue_can_be_used_again(self, queue: Any) -> None:
        """Without this, a queue would be of no more use after it was cleared once."""
        queue.write(b"before")
        queue.flush()
        queue.write(b"after")
        assert queue.read() == b"after"

    @promise()
    def test_two_objects_of_one_name_are_one_queue(self, new_queue: QueueFactory) -> None:
        """Without this, what a web process enqueues would never reach the consumer."""
        name = unique_name()
        new_queue(name).write(b"from one to the other")
        assert new_queue(name).read() == b"from one to the other"

    @promise()
    def test_messages_stay_when_their_writer_closes(self, make_queue: QueueFactory, new_queue: QueueFactory) -> None:
        """Without this, commands would vanish when the web process that enqueued them ends."""
        name = unique_name()
        writer = make_queue(name)
        writer.write(b"left behind")
        writer.close()
        assert new_queue(name).read() == b"left behind"

    @promise()
    def test_blocking_is_declared_as_it_is(self, queue: Any) -> None:
        """Without this, a consumer would poll where it could wait, or count on a wait that does not happen."""
        assert queue.blocking or Capability.BLOCKING not in queue.capabilities

    @promise()
    def test_many_writers_and_readers_move_each_message_once(self, new_queue: QueueFactory) -> None:
        """Without this, busy web servers would lose commands, or consumers would run one twice."""
        name = unique_name()
        writers, readers, each = 4, 4, 25
        expected = {b"%d %d" % (writer, number) for writer in range(writers) for number in range(each)}
        read: list[bytes] = []

        def write(writer: int) -> None:
            queue = new_queue(name)
            for number in range(each):
                queue.write(b"%d %d" % (writer, number))

        def read_all() -> None:
            queue = new_queue(name)

            def everything() -> bool:
                data = queue.read()
                if data is not None:
                    read.append(data)
                return len(read) >= len(expected)

            eventually(everything, f"{len(expected)} messages read", 3 * self.deadline)

        in_threads([partial(write, writer) for writer in range(writers)] + [read_all for _ in range(readers)])
        assert Counter(read) == Counter(expected)

    @promise(Capability.LEASES)
    def test_what_is_not_declared_is_refused_by_name(self, queue: Any) -> None:
        """Without this, who asks for what the server cannot do would get an answer that is wrong, or an odd error."""
        calls = {
            Capability.JOINS: [queue.groups, lambda: queue.delete_groups(["group"])],
            Capability.TRANSFER: [
                *(partial(queue.pages, State.READY), queue.export),
                *(partial(queue.import_many, []), partial(queue.reschedule, ["id"], 0.0)),
            ],
            Capability.WAKE: [partial(queue.free, None)],
        }
        for capability, refused in calls.items():
            for call in refused if capability not in queue.capabilities else ():
                with pytest.raises(Unsupported, match=capability.value):
                    call()

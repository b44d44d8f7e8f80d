"""Outcomes as ``lua/settle.lua`` takes them, and reports of dead letters as ``lua/report.lua`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from huey_core.backends import Ack, Bury, Release, Retry, messages_in
from huey_core.exceptions import Unsupported
from huey_redis.data_store import RedisDataStore
from huey_redis.durations import FOR_EVER, milliseconds, time_to_live
from huey_redis.inspection import describe_death
from huey_redis.keys import group_key, queue_keys
from huey_redis.portions import PORTION, PORTION_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends import BaseDataStore, Message, Outcome, Reported, ResultWrite
    from huey_redis.connection import Argument

__all__ = ["Settling", "message_arguments", "outcome_size", "report_size"]


class Settling:
    """Writes down what one queue's outcomes are.

    Args:
        name: The queue's name.
        settles_into: Whether one step can use a store together with the queue.
        settles_beside: Whether one step can write to the queue of a name together with this one.
        check_size: Raises when a message is too large.
    """

    def __init__(
        self,
        name: str,
        settles_into: Callable[[BaseDataStore], bool],
        settles_beside: Callable[[str], bool],
        check_size: Callable[[bytes], None],
    ) -> None:
        self._name = name
        self._keys = queue_keys(name)
        self._settles_into = settles_into
        self._settles_beside = settles_beside
        self._check_size = check_size

    def call(self, outcomes: Sequence[Outcome]) -> tuple[list[bytes], list[Argument]]:
        """Return the keys and the arguments of one call.

        Raises:
            Unsupported: A result or a wake is for a store of which ``settles_into`` says no, or what follows is for a
                queue of which ``settles_beside`` does.
            MessageTooLarge: New bytes or a message that follows are too large.
        """
        keys = list(self._keys)
        queues: dict[str, int] = {}
        operations: list[Argument] = []
        details: list[Argument] = []
        for outcome in outcomes:
            match outcome:
                case Ack():
                    operations.append(b"ack")
                    details += self._result_arguments(outcome.result, keys)
                    self._add_following(outcome, keys, queues, details)
                case Retry():
                    self._check_size(outcome.data)
                    operations.append(b"retry")
                    details += (outcome.data, max(milliseconds(outcome.delay), 0), int(outcome.keep_attempts))
                case Release(delay=delay, wake=wake):
                    operations.append(b"release")
                    if wake is None:
                        details += (max(milliseconds(delay), 0), 0, b"")
                    else:
                        keys.append(self.server_key(wake.store, wake.key))
                        details += (max(milliseconds(delay), 0), len(keys) - len(self._keys), wake.value)
                case Bury():
                    operations.append(b"bury")
                    details.append(describe_death(outcome.reason, outcome.detail))
                    details += self._result_arguments(outcome.result, keys)
                    self._add_following(outcome, keys, queues, details)
                case _:
                    assert_never(outcome)
        ids = [outcome.delivery.message_id for outcome in outcomes]
        receipts = [outcome.delivery.receipt for outcome in outcomes]
        return keys, [len(outcomes), *operations, *ids, *receipts, *details]

    def report_call(self, reports: Sequence[Reported]) -> tuple[list[bytes], list[Argument]]:
        """Return the keys and the arguments of one call; see :meth:`call`."""
        keys = list(self._keys)
        queues: dict[str, int] = {}
        arguments: list[Argument] = []
        for report in reports:
            arguments.append(report.message_id)
            self._add_following(report, keys, queues, arguments)
        return keys, arguments

    def server_key(self, store: BaseDataStore, key: str) -> bytes:
        """Return the server's name for a key of a store.

        Raises:
            Unsupported: ``settles_into`` says no of the store.
        """
        if not isinstance(store, RedisDataStore) or not self._settles_into(store):
            raise Unsupported(f"huey-redis cannot use {store!r} in one step with messages of this queue")
        return store.server_key(key)

    def _add_following(
        self, outcome: Ack | Bury | Reported, keys: list[bytes], queues: dict[str, int], arguments: list[Argument]
    ) -> None:
        """Add what ``follow`` in ``follow.lua`` takes, and the keys of groups and other queues to those of the script.

        Args:
            outcome: What is followed.
            keys: The keys of the script.
            queues: Where those of other queues begin among the keys behind this queue's, by the names.
            arguments: The arguments of the script.
        """
        if not outcome.follow_ups and not outcome.arrivals:
            arguments.append(0)
            return
        arguments.append(len(outcome.follow_ups) + len(outcome.arrivals))
        for message in outcome.follow_ups:
            self._check_size(message.data)
            arguments += (self._place_of(message, keys, queues), 0, *message_arguments(message))
        for arrival in outcome.arrivals:
            then = arrival.then
            self._check_size(then.data)
            arguments.append(self._place_of(then, keys, queues))
            keys.append(group_key(then.queue or self._name, arrival.group))
            arguments += (len(keys) - len(self._keys), arrival.group, arrival.member, arrival.of)
            arguments += (time_to_live(arrival.ttl), *message_arguments(then))

    def _place_of(self, message: Message, keys: list[bytes], queues: dict[str, int]) -> int:
        """Return where the keys of the queue begin for which a message is; 0 for this queue."""
        name = message.queue
        if name is None or name == self._name:
            return 0
        if name not in queues:
            if not self._settles_beside(name):
                raise Unsupported(f"huey-redis cannot write to the queue {name!r} in one step with {self._name!r}")
            queues[name] = len(keys) - len(self._keys) + 1
            keys += queue_keys(name)
        return queues[name]

    def _result_arguments(self, result: ResultWrite | None, keys: list[bytes]) -> tuple[Argument, ...]:
        """Return what ``put_result`` in ``settle.lua`` takes, and add the result's key to those of the script."""
        if result is None:
            return (0, b"", FOR_EVER)
        keys.append(self.server_key(result.store, result.key))
        return (len(keys) - len(self._keys), result.value, time_to_live(result.ttl))


def message_arguments(message: Message) -> tuple[Argument, ...]:
    """Return what ``write.lua`` takes."""
    claim, claim_for = "", ""
    if message.unique_key is not None and message.unique_for is None:
        claim = "u" + message.unique_key
    elif message.unique_key is not None and message.unique_for is not None:
        claim, claim_for = "t" + message.unique_key, str(milliseconds(message.unique_for))
    due = 0 if message.eta is None else milliseconds(message.eta)
    return (message.message_id, message.data, message.priority, due, claim, claim_for)


def outcome_size(outcome: Outcome) -> int:
    """The bytes of an outcome, by which it counts among others of one script call."""
    size = len(outcome.result.value) if outcome.result else 0
    match outcome:
        case Ack():
            return size + _size_of_following(outcome)
        case Retry(data=data):
            return size + len(data)
        case Bury(detail=detail):
            return size + len(detail) + _size_of_following(outcome)
        case Release():
            return size
        case _:
            assert_never(outcome)


def report_size(report: Reported) -> int:
    """The bytes of a report; see :func:`outcome_size`."""
    return _size_of_following(report)


def _size_of_following(outcome: Ack | Bury | Reported) -> int:
    if not outcome.follow_ups and not outcome.arrivals:
        return 0
    return sum(max(len(data), PORTION_BYTES // PORTION) for data in messages_in(outcome))

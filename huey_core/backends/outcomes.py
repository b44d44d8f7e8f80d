"""How a delivery ends: each outcome is one atomic step, with the result and the messages that it writes.

What follows a message is written in the step that ends it: follow-ups at once, and what follows a group of messages
with the arrival of the group's last member. Since a stale receipt changes nothing, each is written exactly once,
whatever is killed.

Nobody changes an outcome after it was made; the classes are not frozen only because that takes four times as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias, assert_never

from huey_core.numbers import check_number
from huey_core.unicode import cut_middle, escape_surrogates

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.messages import Delivery, Message

__all__ = [
    "DEFAULT_GROUP_TTL",
    "MAX_DETAIL",
    "MAX_REASON",
    "Ack",
    "Arrival",
    "Bury",
    "Outcome",
    "Release",
    "Reported",
    "ResultWrite",
    "Retry",
    "Wake",
    "is_final",
    "messages_in",
    "queues_in",
]

MAX_REASON: Final = 2_000
"""Characters of a burial's reason that are kept."""

MAX_DETAIL: Final = 32 * 2**10
"""Characters of a burial's details that are kept, as of the traceback in an error result."""

DEFAULT_GROUP_TTL: Final = 7 * 86400.0
"""Seconds without an arrival after which a group is forgotten, unless the arrival says otherwise."""


@dataclass(slots=True)
class ResultWrite:
    """A value to be put into a data store together with an outcome.

    Attributes:
        store: The store. :meth:`LeasedQueue.settles_into` must have said yes to it.
        key: The key in that store.
        value: The bytes to put.
        ttl: Seconds after which the store forgets the value; ``None`` keeps it.
    """

    store: BaseDataStore
    key: str
    value: bytes
    ttl: float | None = None


@dataclass(slots=True)
class Arrival:
    """A member of a group has ended: the backend notes it, and with the last member writes what follows the group.

    All arrivals of a group say the same of ``of`` and ``then``; where they do not, the one that completes it counts. To
    note a member twice changes nothing, nor does an arrival at a group that is complete. A group is kept in the queue
    that ``then`` is for, so that its members may be in several. It is known there from its first arrival until ``ttl``
    seconds after the latest that noted a member, complete or not. After that time, or when it was deleted or the queue
    flushed, another arrival begins it anew.

    Attributes:
        group: The group's id, any text.
        member: Which member it is, any text.
        of: How many members the group has; at least 1.
        then: The message to write with the last arrival: like any other, so not again while one of its id, or of its
            unique key, is there.
        ttl: Seconds for which the group is kept after an arrival; at least a millisecond.

    Raises:
        ConfigurationError: ``of`` or ``ttl`` is no such number.
    """

    group: str
    member: str
    of: int
    then: Message
    ttl: float = DEFAULT_GROUP_TTL

    def __post_init__(self) -> None:
        check_number("of", self.of, 1, whole=True)
        check_number("ttl", self.ttl, 0.001, what="a number of seconds")


@dataclass(slots=True)
class Wake:
    """What a message that was put back for later waits for: that a key of a data store no longer has a value.

    Attributes:
        store: The store. :meth:`LeasedQueue.settles_into` must have said yes to it.
        key: The key in that store.
        value: The bytes that it had when it was looked at. When it has others in the moment of the release, or none,
            there is nothing to wait for.
    """

    store: BaseDataStore
    key: str
    value: bytes


@dataclass(slots=True)
class Ack:
    """The delivery is done: forget the message, write its result and what follows it, in one step."""

    delivery: Delivery
    result: ResultWrite | None = None
    follow_ups: tuple[Message, ...] = ()
    arrivals: tuple[Arrival, ...] = ()


@dataclass(slots=True)
class Retry:
    """Replace the message's bytes and deliver it again after ``delay`` seconds.

    Deliveries are counted anew, because this one had an outcome. With ``keep_attempts`` the count goes on, for a
    message that could not even be read. It may so pass the queue's ``max_deliveries``: the claim buries what was
    abandoned, never what was retried, and whoever retries decides when it is enough. A message whose count has reached
    the limit is buried the first time that it is abandoned.
    """

    delivery: Delivery
    data: bytes
    delay: float = 0.0
    keep_attempts: bool = False
    result: ClassVar[None] = None


@dataclass(slots=True)
class Release:
    """Put the message back into its old place in the order, as if this delivery had not been: it is not counted.

    With a ``delay`` in seconds it is scheduled, and ready when that has passed. With a ``wake`` too, which only a queue
    with :attr:`Capability.WAKE <huey_core.backends.capabilities.Capability>` is given, it is ready sooner: at once, if
    the key has another value by now, or when :meth:`LeasedQueue.free` chooses it.
    """

    delivery: Delivery
    delay: float = 0.0
    wake: Wake | None = None
    result: ClassVar[None] = None


@dataclass(slots=True)
class Bury:
    """Keep the message aside as a dead letter, with a reason in one line and the details, for an operator to see.

    What follows it is written in the same step. When it is requeued, and ends once more, so are its follow-ups then;
    at a group it has arrived already.

    What is no valid Unicode in either is escaped, and what is longer than :data:`MAX_REASON` or :data:`MAX_DETAIL`
    loses its middle, so that every server takes it.
    """

    delivery: Delivery
    reason: str
    detail: str = ""
    result: ResultWrite | None = None
    follow_ups: tuple[Message, ...] = ()
    arrivals: tuple[Arrival, ...] = ()

    def __post_init__(self) -> None:
        self.reason = cut_middle(escape_surrogates(self.reason), MAX_REASON)
        self.detail = cut_middle(escape_surrogates(self.detail), MAX_DETAIL)


Outcome: TypeAlias = Ack | Retry | Release | Bury
"""How a delivery ended. Each has a ``delivery``, and a ``result`` that is ``None`` where there is none to write."""


@dataclass(slots=True)
class Reported:
    """A dead letter of a claim that was reported, and what follows it, which the claim could not know."""

    message_id: str
    follow_ups: tuple[Message, ...] = ()
    arrivals: tuple[Arrival, ...] = ()


def is_final(outcome: Outcome) -> bool:
    """Whether an outcome is the end of its message, which is not delivered again."""
    match outcome:
        case Ack() | Bury():
            return True
        case Retry() | Release():
            return False
        case _:
            assert_never(outcome)


def messages_in(outcome: Outcome | Reported) -> Sequence[bytes]:
    """The bytes of the messages that an outcome writes: what is retried, follow-ups, and what follows a group."""
    match outcome:
        case Ack() | Bury() | Reported():
            if not outcome.follow_ups and not outcome.arrivals:
                return ()
            return [
                *(message.data for message in outcome.follow_ups),
                *(arrival.then.data for arrival in outcome.arrivals),
            ]
        case Retry(data=data):
            return (data,)
        case Release():
            return ()
        case _:
            assert_never(outcome)


_ENDS: Final = (Ack, Bury, Reported)
"""What something may follow."""


def queues_in(ends: Iterable[Outcome | Reported]) -> set[str]:
    """The names of the queues for which messages that follow are, as far as they name one."""
    return {
        message.queue
        for end in ends
        if isinstance(end, _ENDS) and (end.follow_ups or end.arrivals)
        for message in (*end.follow_ups, *(arrival.then for arrival in end.arrivals))
        if message.queue is not None
    }

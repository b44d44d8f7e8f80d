"""Messages as they are written to a queue, as a consumer holds them, and as an operator sees them.

Nobody changes a message or a delivery after it was made; the classes of which one is made for every command are not
frozen only because that takes four times as long.
"""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass, field
from typing import Any, Final, Generic, NamedTuple, TypeVar

__all__ = [
    "MAX_PRIORITY",
    "Claim",
    "Counts",
    "Delivery",
    "Message",
    "Page",
    "Record",
    "State",
    "StoredGroup",
    "StoredMessage",
    "Written",
    "new_message_id",
]

T = TypeVar("T")

MAX_PRIORITY: Final = 1000
"""Priorities lie between ``-MAX_PRIORITY`` and ``MAX_PRIORITY``, so that every backend can order them exactly."""


def new_message_id() -> str:
    """Make an identifier of 128 random bits, as 32 hexadecimal digits."""
    return os.urandom(16).hex()


class State(enum.StrEnum):
    """Where a message is."""

    READY = "ready"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    DEAD = "dead"


@dataclass(slots=True)
class Message:
    """A message to be written.

    Attributes:
        data: The bytes that the consumer will get.
        message_id: Makes the write idempotent: while a message of this id is live, or kept as a dead letter, another
            write of it changes nothing.
        priority: Higher runs first; between ``-MAX_PRIORITY`` and ``MAX_PRIORITY``.
        eta: The time before which the message is not delivered (seconds since the epoch); ``None`` or a past time
            delivers at once.
        unique_key: At most one live message has this key.
        unique_for: Seconds for which the key stays taken, settled or not; ``None`` frees it when the message is
            settled (acked, buried or deleted).
        queue: The name of the queue that it is for; ``None`` for the one that is asked. Only what settles obeys it.
    """

    data: bytes
    message_id: str = field(default_factory=new_message_id)
    priority: int = 0
    eta: float | None = None
    unique_key: str | None = None
    unique_for: float | None = None
    queue: str | None = None


@dataclass(slots=True)
class Written:
    """What became of a write.

    Attributes:
        created: Whether a new message was written; ``False`` when its id or its unique key is already live.
        message_id: The id of the live message: the one written, or the one that was there before.
    """

    created: bool
    message_id: str


@dataclass(slots=True)
class Delivery:
    """A message that this consumer holds under a lease.

    Attributes:
        data: The bytes as written.
        message_id: The id given at the write.
        receipt: Fresh for every claim of the message; whoever settles must show it. Messages that are claimed together
            may have the same one.
        attempt: The number of this delivery since the message's last outcome, from 1; a :class:`Retry` with
            ``keep_attempts`` does not count as one. It is raised at the claim, so a consumer that was killed counts.
        private: Whatever the backend needs to find the message again. Nobody else looks at it.
        key: What no other delivery has: the message's id and the receipt.
    """

    data: bytes
    message_id: str
    receipt: str
    attempt: int
    private: Any = None
    # Made once, because a consumer looks for each delivery several times.
    key: tuple[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.key = self.message_id, self.receipt


class Claim(NamedTuple):
    """What a claim comes back with.

    Attributes:
        deliveries: The messages taken, the most urgent first.
        buried: The ids of dead letters that claims have buried and nobody has reported yet. Whoever reports them says
            so with :meth:`LeasedQueue.report_done`.
    """

    deliveries: list[Delivery]
    buried: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it, so that a claim that may wait goes on waiting."""
        return not self.deliveries and not self.buried


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages are in each state, and whether the queue is paused.

    A message that has fallen due, or whose lease has ended, counts where it was until a claim has brought it back.
    """

    ready: int
    scheduled: int
    running: int
    dead: int
    paused: bool = False


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as an operator sees it.

    Attributes:
        message_id: The id given at the write.
        data: The bytes.
        state: Where it is.
        priority: Its priority.
        attempt: Deliveries since its last outcome.
        due: Seconds since the epoch: when it becomes ready (scheduled), when its lease ends (running), when it was
            buried (dead); ``None`` for ready.
        reason: Why it was buried, in one line.
        detail: What was known when it was buried: a traceback, usually.
    """

    message_id: str
    data: bytes
    state: State
    priority: int = 0
    attempt: int = 0
    due: float | None = None
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(StoredMessage):
    """All that a queue knows of a message, to be imported by another queue, of whichever backend.

    Attributes:
        rank: The place in the order: of two records of one queue, the lower was written first, or has the higher
            priority. It means nothing to another queue.
        unique_key: The unique key that it was written with, whether or not it holds it now.
        unique_for: Seconds for which the key is still taken, 0 when that is over; ``None`` when the message's end frees
            it, so that a dead letter does not hold it and a live message does.
    """

    rank: float = 0
    unique_key: str | None = None
    unique_for: float | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list.

    Attributes:
        items: What is on it.
        cursor: What to ask for the next page with, a text that means something to this queue only; ``None`` after the
            last one.
    """

    items: list[T]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """A group of messages of which one at least has arrived, as an operator sees it.

    Attributes:
        group: Its id.
        arrived: How many of its members have.
        of: How many members it has.
        expires: When it is forgotten, unless another member arrives, in seconds since the epoch.
    """

    group: str
    arrived: int
    of: int
    expires: float

    @property
    def complete(self) -> bool:
        """Whether what follows it was written."""
        return self.arrived >= self.of

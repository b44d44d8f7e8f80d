"""What is stored: one document for each message, which becomes the document of its result.

All queues and data stores of a database share one collection, because only within one document are two things changed
in one step: an ack turns the message into the value that a data store finds. The fields:

=============  =====================================================================================================
field          meaning
=============  =====================================================================================================
``queue``      the queue's name; only in messages and in what is left of them
``id``         the message's id, while it is live or dead
``state``      ``ready``, ``scheduled``, ``running`` or ``dead``; ``done`` for what is left of a message
``at``         when there is something to do, see below
``rank``       the place among ready messages, see :func:`first_rank`
``data``       the bytes
``attempt``    deliveries since the last outcome
``token``      of the claim that holds the message, while it runs
``key``        the unique key
``unique``     the unique key again, while it is taken by this document
``holder``     the id of the message that took it
``until``      when a key taken for a time is free again (a date)
``buried``     when the message was buried, in microseconds; with ``reason`` and ``detail``
``unreported`` of the claim that was the last to name the dead letter to be reported, while nobody has reported it
``next``       documents of follow-up messages that are to be written: the outbox, with ``outcome``
``arrivals``   the groups at which the message arrives: in the outbox too
``committed``  the ``_id`` of the documents that were prepared for ``next``, in its place
``source``     only in a document in state ``prepared``: the ``_id`` of that with the outbox; ``message`` is what it
               becomes
``outcome``    a result that is to be written to its store
``mark``       of the settlement that changed the document last
``store``      the data store's name; only in values, with ``name`` (the key) and ``value`` (bytes, or a counter)
``expires``    when the server may remove the document (a date)
``told``       what tells those who watch a counter that it changed
=============  =====================================================================================================

A group of messages is a document too, with ``queue``, ``group`` (its id, until it is forgotten), ``state`` (``open`` or
``complete``), ``of``, ``arrived``, ``ends`` (the millisecond at which it is forgotten), ``at``, and the ``mark`` of its
latest count; each member that has arrived is one with nothing but an ``_id`` of both and a ``mark``. See
:mod:`huey_mongo.joins`.

``at`` puts everything that a claim has to see into one range of one index. A ready message has its rank there, a
negative number. A scheduled or running message, and a document with an outbox, has the millisecond at which it falls
due; a dead letter that is to be reported has the one from which a claim may name it. While a queue is paused, a
document with a zero stands before all ready messages. So a claim looks at ``{queue: name, at: {$lte: now}}``, from the
highest down. That document has an ``_id`` and a token of its own, by which a claim sees whether the queue was paused
while it took messages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bson import Int64, ObjectId

from huey_core.backends import Record, State, StoredMessage
from huey_core.unicode import cut_middle
from huey_mongo.clock import from_millis, millis, to_date

if TYPE_CHECKING:
    from datetime import datetime

    from huey_core.backends import Delivery, Message

__all__ = [
    "COMPLETE",
    "DONE",
    "MAX_MESSAGE_SIZE",
    "OPEN",
    "PAUSED",
    "PAUSED_AT",
    "PREPARED",
    "Document",
    "Receipt",
    "burial",
    "first_rank",
    "message_document",
    "new_value",
    "pause_id",
    "priority_of",
    "receipt_of",
    "record_of",
    "stored_message",
    "value_bytes",
]

Document = dict[str, Any]

MAX_MESSAGE_SIZE: Final = 16 * 2**20 - 64 * 2**10
"""The largest message in bytes: MongoDB's 16 MiB for a document, less room for names, keys and errors."""

DETAIL_LIMIT: Final = 48 * 2**10
"""Bytes of the detail of a dead message that fit beside the largest message."""

DONE: Final = "done"
"""The state of what is left of a settled message: an outbox, or a unique key that stays taken."""

OPEN: Final = "open"
"""The state of a group that waits for members."""

COMPLETE: Final = "complete"
"""The state of a group whose last member has arrived."""

PREPARED: Final = "prepared"
"""The state of a follow-up that its outbox has not committed, or that is not a message yet."""

PAUSED_AT: Final = 0
"""``at`` of the document that a paused queue has."""

PAUSED: Final = "paused"
"""Its state, and its token: no claim's is alike."""

TOP_PRIORITY: Final = 1000
MICROS_BITS: Final = 52
"""Bits for the time in a rank: enough until the year 2112, and with eleven bits of priority it fits a signed 64."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a delivery remembers of its document.

    Attributes:
        document: Its ``_id``.
        token: Of the claim.
        rank: Where a released message goes.
        until: When the unique key is free again, if it was taken for a time.
    """

    document: ObjectId
    token: str
    rank: int
    until: datetime | None


def receipt_of(delivery: Delivery) -> Receipt:
    """Return what a delivery of this backend remembers.

    Raises:
        TypeError: The delivery is another backend's.
    """
    if not isinstance(delivery.private, Receipt):
        raise TypeError(f"message {delivery.message_id} was not claimed from MongoDB")
    return delivery.private


def first_rank(priority: int, micros: int) -> Int64:
    """Return the place of a message among ready ones: higher comes first, by priority and then by age."""
    return Int64(-(((TOP_PRIORITY - priority) << MICROS_BITS) + micros))


def priority_of(rank: int) -> int:
    """Return the priority that a rank was made of."""
    return TOP_PRIORITY - (-rank >> MICROS_BITS)


def message_document(queue: str, message: Message, micros: int, now: float) -> Document:
    """Make the document of a new message.

    Args:
        queue: The queue's name.
        message: The message.
        micros: Its number in the order of writing.
        now: The server's time in seconds, to decide whether the message has to wait.
    """
    rank = first_rank(message.priority, micros)
    document: Document = {
        "_id": ObjectId(),
        "queue": queue,
        "id": message.message_id,
        "state": State.READY.value,
        "at": rank,
        "rank": rank,
        "data": message.data,
        "attempt": 0,
    }
    if message.eta is not None and message.eta > now:
        document["state"] = State.SCHEDULED.value
        document["at"] = Int64(millis(message.eta))
    if message.unique_key is not None:
        document["key"] = document["unique"] = message.unique_key
        document["holder"] = message.message_id
        if message.unique_for is not None:
            document["until"] = to_date(millis(now + message.unique_for))
    return document


def pause_id(queue: str) -> str:
    """Return the ``_id`` of the document that a paused queue has."""
    return f"{PAUSED} {queue}"


def stored_message(document: Document) -> StoredMessage:
    """Read a message as an operator sees it."""
    return StoredMessage(**_seen(document))


def record_of(document: Document, now: float) -> Record:
    """Read all that is known of a message.

    Args:
        document: Its document.
        now: The server's time in seconds, for what is left of the time of its unique key.
    """
    until = document.get("until")
    return Record(
        **_seen(document),
        rank=-document["rank"],
        unique_key=document.get("key"),
        unique_for=None if until is None else max(until.timestamp() - now, 0),
    )


def _seen(document: Document) -> dict[str, Any]:
    state = State(document["state"])
    due: float | None = None
    if state == State.DEAD:
        due = document["buried"] / 1e6
    elif state != State.READY:
        due = from_millis(document["at"])
    return {
        "message_id": document["id"],
        "data": document["data"],
        "state": state,
        "priority": priority_of(document["rank"]),
        "attempt": document["attempt"],
        "due": due,
        "reason": document.get("reason", ""),
        "detail": document.get("detail", ""),
    }


def new_value(store: str, key: str, value: bytes, expires: datetime | None) -> Document:
    """Make the document of a value, without its ``_id``."""
    document: Document = {"store": store, "name": key, "value": value}
    if expires is not None:
        document["expires"] = expires
    return document


def value_bytes(document: Document) -> bytes:
    """Read the bytes of a value, or the digits of a counter."""
    value = document["value"]
    return str(value).encode() if isinstance(value, int) else bytes(value)


def burial(micros: int, reason: str, detail: str) -> Document:
    """Return the fields that describe a burial."""
    return {
        "state": State.DEAD.value,
        "buried": Int64(micros),
        "reason": reason,
        "detail": detail if len(detail.encode()) <= DETAIL_LIMIT else cut_middle(detail, DETAIL_LIMIT // 4),
    }

"""How a delivery ends: each outcome is one atomic step, with the result and the messages that it writes.

Nobody changes an outcome after it was made; the classes are not frozen only because that takes four times as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias, assert_never

from huey_core.unicode import cut_middle, escape_surrogates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.messages import Delivery, Message

__all__ = [
    "MAX_DETAIL",
    "MAX_REASON",
    "Ack",
    "Bury",
    "Outcome",
    "Release",
    "ResultWrite",
    "Retry",
    "is_final",
    "messages_in",
]

MAX_REASON: Final = 2_000
"""Characters of a burial's reason that are kept."""


MAX_DETAIL: Final = 32 * 2**10
"""Characters of a burial's details that are kept, as of the traceback in an error result."""


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
class Ack:
    """The delivery is done: forget the message, write its result and its follow-up messages, in one step."""

    delivery: Delivery
    result: ResultWrite | None = None
    follow_ups: tuple[Message, ...] = ()


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
    """Put the message back into its old place in the order, as if this delivery had not been: it is not counted."""

    delivery: Delivery
    result: ClassVar[None] = None


@dataclass(slots=True)
class Bury:
    """Keep the message aside as a dead letter, with a reason in one line and the details, for an operator to see.

    What is no valid Unicode in either is escaped, and what is longer than :data:`MAX_REASON` or :data:`MAX_DETAIL`
    loses its middle, so that every server takes it.
    """

    delivery: Delivery
    reason: str
    detail: str = ""
    result: ResultWrite | None = None

    def __post_init__(self) -> None:
        self.reason = cut_middle(escape_surrogates(self.reason), MAX_REASON)
        self.detail = cut_middle(escape_surrogates(self.detail), MAX_DETAIL)


Outcome: TypeAlias = Ack | Retry | Release | Bury
"""How a delivery ended. Each has a ``delivery``, and a ``result`` that is ``None`` where there is none to write."""


def is_final(outcome: Outcome) -> bool:
    """Whether an outcome is the end of its message, which is not delivered again."""
    match outcome:
        case Ack() | Bury():
            return True
        case Retry() | Release():
            return False
        case _:
            assert_never(outcome)


def messages_in(outcome: Outcome) -> Sequence[bytes]:
    """The bytes of the messages that an outcome writes: what is retried, and follow-ups."""
    match outcome:
        case Ack(follow_ups=follow_ups):
            return [message.data for message in follow_ups] if follow_ups else ()
        case Retry(data=data):
            return (data,)
        case Release() | Bury():
            return ()
        case _:
            assert_never(outcome)

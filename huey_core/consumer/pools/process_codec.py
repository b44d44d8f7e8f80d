"""What crosses between a consumer and the processes of its pool: frames of plain values, and outcomes as such.

Both ends are the same Python, so the values are written by :mod:`marshal`: it knows texts, numbers, bytes and tuples,
and makes no objects of classes. A data store is named by its role, since each process has its own object.
"""

from __future__ import annotations

import marshal
import struct
from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, assert_never

from huey_core.backends.messages import Message
from huey_core.backends.outcomes import Ack, Arrival, Bury, Outcome, Release, ResultWrite, Retry, Wake
from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.messages import Delivery

__all__ = ["FrameReader", "decode_outcome", "encode_outcome", "frame"]

_LENGTH: Final = struct.Struct("=I")
_WITHOUT_REFERENCES: Final = 2
"""The format of marshal that writes each value out, which is the quickest."""

_MESSAGE: Final = attrgetter(*(field.name for field in fields(Message)))
_ARRIVAL: Final = [field.name for field in fields(Arrival) if field.name != "then"]
_ARRIVAL_VALUES: Final = attrgetter(*_ARRIVAL)


def frame(*values: Any) -> bytes:
    """Write values as one frame.

    Raises:
        TypeError: One of them is not plain.
    """
    try:
        data = marshal.dumps(values, _WITHOUT_REFERENCES)
    except ValueError:
        # Of a class below str, int and the like, as an enumeration's member is.
        data = marshal.dumps(_plain(values), _WITHOUT_REFERENCES)
    return _LENGTH.pack(len(data)) + data


class FrameReader:
    """Makes frames of bytes as they come."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Any, ...]]:
        """Add bytes, and read the frames that are complete."""
        self._data += data
        start = 0
        try:
            while len(self._data) - start >= _LENGTH.size:
                (size,) = _LENGTH.unpack_from(self._data, start)
                end = start + _LENGTH.size + size
                if len(self._data) < end:
                    return
                values = marshal.loads(memoryview(self._data)[start + _LENGTH.size : end])  # noqa: S302 - our own process wrote it
                start = end
                yield values
        finally:
            del self._data[:start]


def encode_outcome(outcome: Outcome, stores: Mapping[str, BaseDataStore]) -> tuple[Any, ...]:
    """Make plain values of an outcome, without its delivery.

    Raises:
        ConfigurationError: It names a data store that is none of ``stores``.
    """
    match outcome:
        case Ack():
            return ("ack", _result(outcome.result, stores), *_following(outcome))
        case Retry():
            return "retry", outcome.data, outcome.delay, outcome.keep_attempts
        case Release():
            wake = outcome.wake
            return "release", outcome.delay, wake and (_role(wake.store, stores), wake.key, wake.value)
        case Bury():
            result = _result(outcome.result, stores)
            return ("bury", outcome.reason, outcome.detail, result, *_following(outcome))
        case _:
            assert_never(outcome)


def decode_outcome(delivery: Delivery, values: tuple[Any, ...], stores: Mapping[str, BaseDataStore]) -> Outcome:
    """Make the outcome of a delivery of the values that :func:`encode_outcome` has made.

    Args:
        delivery: The delivery.
        values: The values.
        stores: The data stores by the roles that they have in the other process.
    """
    match values:
        case "ack", result, follow_ups, arrivals:
            return Ack(delivery, _read_result(result, stores), *_read_following(follow_ups, arrivals))
        case "retry", data, delay, keep_attempts:
            return Retry(delivery, data, delay, keep_attempts)
        case "release", delay, wake:
            return Release(delivery, delay, wake and Wake(stores[wake[0]], *wake[1:]))
        case "bury", reason, detail, result, follow_ups, arrivals:
            following = _read_following(follow_ups, arrivals)
            return Bury(delivery, reason, detail, _read_result(result, stores), *following)
        case _:
            raise ValueError(f"not an outcome: {values!r:.100}")


def _result(result: ResultWrite | None, stores: Mapping[str, BaseDataStore]) -> tuple[Any, ...] | None:
    return None if result is None else (_role(result.store, stores), result.key, result.value, result.ttl)


def _read_result(values: tuple[Any, ...] | None, stores: Mapping[str, BaseDataStore]) -> ResultWrite | None:
    return None if values is None else ResultWrite(stores[values[0]], *values[1:])


def _role(store: BaseDataStore, stores: Mapping[str, BaseDataStore]) -> str:
    for role, known in stores.items():
        if store is known:
            return role
    raise ConfigurationError(
        f"{store!r} is neither the result store nor the task store of the invoker, so a process of the worker pool "
        "'process' cannot tell the consumer of it; write into it in the command, or use another worker pool"
    )


def _following(outcome: Ack | Bury) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    if not outcome.follow_ups and not outcome.arrivals:
        return (), ()
    arrivals = tuple((_MESSAGE(arrival.then), _ARRIVAL_VALUES(arrival)) for arrival in outcome.arrivals)
    return tuple(map(_MESSAGE, outcome.follow_ups)), arrivals


def _read_following(
    follow_ups: tuple[Any, ...], arrivals: tuple[Any, ...]
) -> tuple[tuple[Message, ...], tuple[Arrival, ...]]:
    return (
        tuple(Message(*values) for values in follow_ups),
        tuple(Arrival(then=Message(*then), **dict(zip(_ARRIVAL, values, strict=True))) for then, values in arrivals),
    )


def _plain(value: Any) -> Any:
    match value:
        case tuple():
            return tuple(map(_plain, value))
        case None | bool():
            return value
        case str():
            return str.__str__(value)
        case int():
            return int.__int__(value)
        case float():
            return float.__float__(value)
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case _:
            raise TypeError(f"{value!r:.100} is of type {type(value).__name__}, and not a text, a number or bytes")

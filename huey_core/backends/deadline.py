"""How long a caller is ready to wait, for backends that can give up a call of their driver in time.

``get(timeout=5)`` has a time limit, and what it calls has none in its signature: ``peek(key)``. So the limit travels
beside the call, and whoever waits for a server asks how much is left of it::

    patience = time_left(self.socket_timeout)
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, overload

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["time_left", "time_limit"]

GRACE: Final = 0.5
"""Seconds that a call has at least: also whoever does not want to wait wants an answer."""

_deadline: ContextVar[float | None] = ContextVar("huey_deadline", default=None)


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Let the calls of backends that are made in this block, in this thread, end within so many seconds, if given."""
    if seconds is None:
        yield
        return
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


@overload
def time_left(most: float, least: float = GRACE) -> float: ...
@overload
def time_left(most: float | None, least: float = GRACE) -> float | None: ...
def time_left(most: float | None, least: float = GRACE) -> float | None:
    """Return for how many seconds a call may wait: ``most``, or what the caller's limit has left if that is less.

    Args:
        most: Seconds, or ``None`` for ever.
        least: Seconds that a call has in any case.
    """
    deadline = _deadline.get()
    if deadline is None:
        return most
    left = max(deadline - time.monotonic(), least)
    return left if most is None else min(left, most)

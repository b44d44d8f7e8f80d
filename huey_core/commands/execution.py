"""What a run of a command came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Execution"]


@dataclass(slots=True)
class Execution:
    """The end of one run.

    It is an object of its own because ``None`` is a legitimate result, while a hook that returns ``None`` passes the
    decision on.

    Attributes:
        value: What the command returned.
        error: What the command raised, when it will not be tried again; then ``value`` means nothing.
        dropped: Whether ``error`` says that the command was not run to its end, because it was revoked, had expired, or
            was cancelled.
        duration: How long it ran, in seconds.
        traceback: That of ``error``, from the application's first frame on, as text.
    """

    value: Any = None
    error: BaseException | None = None
    dropped: bool = False
    duration: float = 0.0
    traceback: str = ""

"""Calling those who watch a key of a data store, for backends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core.safe_logging import get_logger
from huey_core.text import is_users_interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["call_watchers"]

log: Final = get_logger(__name__)


def call_watchers(callbacks: Iterable[Callable[[], None]]) -> None:
    """Tell those who watch that something was written.

    What a callback raises, ``SystemExit`` included, is logged. It harms neither the write, nor the other callbacks, nor
    the thread that calls them. Only a ``KeyboardInterrupt`` in the main thread, which is the user's, passes through.
    """
    for callback in callbacks:
        try:
            callback()
        except BaseException as error:
            if is_users_interrupt(error):
                raise
            log.exception("a callback of a watch raised")

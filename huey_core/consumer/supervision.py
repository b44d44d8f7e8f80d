"""What keeps the threads of a consumer alive: one that died unnoticed would leave it holding messages for nothing.

Each thread handles the errors that it knows of. This is for the rest: a mistake of ours, or what is no
:class:`Exception`, be it a ``SystemExit`` that a driver or a plugin lets through. In a thread that ends nothing but the
thread, and without a word.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run_supervised"]

log: Final = get_logger(__name__)

PAUSE: Final = 1.0
"""Seconds before a loop goes on that has raised."""


def run_supervised(loop: Callable[[], None], what: str, wait: Callable[[float], object] = time.sleep) -> None:
    """Call ``loop`` until it returns: again after a pause when it raises, whatever it raises.

    Args:
        loop: Runs until the thread is to end.
        what: What it is, for the log.
        wait: Waits for so many seconds, or for less when the thread is to end.
    """
    while True:
        try:
            loop()
        except BaseException:
            log.critical("%s crashed, restarting", what, exc_info=True)
            wait(PAUSE)
        else:
            return

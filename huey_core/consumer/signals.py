"""What signals do to a consumer process.

=================  =========================================================================================
SIGTERM, SIGINT    stop claiming, let running commands finish for up to ``SHUTDOWN_TIMEOUT``, give the rest back at
                   once, exit with 0
a second one       give everything back now, exit with 1
SIGHUP             the same as the first SIGTERM, then start again with the same arguments
=================  =========================================================================================
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from huey_core.consumer.consumer import Consumer

__all__ = ["run_until_signalled"]

log: Final = logging.getLogger("huey_core.consumer")

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_until_signalled(consumer: Consumer, restart: Callable[[], None] | None = None) -> int:
    """Start a consumer, run it until a signal comes, and stop it. Must be called in the main thread.

    Args:
        consumer: The consumer.
        restart: Starts the program again after SIGHUP, and does not return.

    Returns:
        The exit code: 0 after an orderly end, 1 after a second signal.
    """
    # A handler runs between any two bytecodes of this thread, even inside a lock of an Event; putting into a
    # SimpleQueue is safe there.
    received: SimpleQueue[int] = SimpleQueue()

    def note(number: int, frame: FrameType | None) -> None:
        received.put(number)

    previous = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        consumer.start()
        first = received.get()
        finished = _stop(consumer, signal.Signals(first).name, received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if finished and first == signal.SIGHUP:
        log.info("starting again")
        (restart or _execute_again)()
    return 0 if finished else 1


def _stop(consumer: Consumer, reason: str, received: SimpleQueue[int]) -> bool:
    """Stop in a thread, so that a second signal can cut it short; say whether it was an orderly stop."""
    stopping = threading.Thread(target=consumer.stop, args=(reason,), name="huey-stop", daemon=True)
    stopping.start()
    while stopping.is_alive():
        stopping.join(0.05)
        while not received.empty():
            if received.get() != signal.SIGHUP:
                log.warning("a second signal: giving everything back now")
                consumer.stop_now()
                return False
    return True


def _execute_again() -> None:
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the arguments are our own

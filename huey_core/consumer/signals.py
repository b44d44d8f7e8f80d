"""What signals do to a consumer process.

=================  =========================================================================================
SIGTERM, SIGINT    stop claiming, let running commands finish for up to ``SHUTDOWN_TIMEOUT``, give the rest back at
                   once, exit with 0
a second one       give everything back now, exit with 1
SIGHUP             the same as the first SIGTERM, then start again with the same arguments in the same process, unless
                   a signal to end comes in the meantime
=================  =========================================================================================
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["Runnable", "end_soon", "run_until_signalled"]

log: Final = logging.getLogger("huey_core.consumer")

TO_END: Final = (signal.SIGTERM, signal.SIGINT)
SIGNALS: Final = (*TO_END, signal.SIGHUP)

LAST_MOMENT: Final = 1.0
"""Seconds within which everything must be given back after a second signal; leases do the rest."""


class Runnable(Protocol):
    """What runs until a signal comes: a :class:`~huey_core.consumer.consumer.Consumer`, or several that act as one."""

    def start(self) -> None:
        """Start, and return when it runs."""

    def stop(self, reason: str) -> object:
        """Stop in an orderly way, and return when it has stopped."""

    def stop_now(self) -> None:
        """Give everything back at once, also while :meth:`stop` waits in another thread."""


def run_until_signalled(consumer: Runnable, restart: Callable[[], None] | None = None) -> int:
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
        asked = _stop(consumer, received.get(), received)
        if asked == signal.SIGHUP:
            log.info("starting again")
            # The program that starts inherits this, so that another one does not end it before it can handle it.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            # From here on a signal to end is not noted but obeyed, so that none can come too late to be looked at.
            for number in TO_END:
                signal.signal(number, signal.SIG_DFL)
            asked = _last_word(received)
            if asked == signal.SIGHUP:
                (restart or _execute_again)()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 1 if asked is None else 0


def end_soon(code: int, grace: float = 1.0) -> None:
    """Make sure that this process ends with ``code`` within ``grace`` seconds.

    An ordinary exit waits for every thread that a command has left behind, and there may be no end to that.
    """
    timer = threading.Timer(grace, os._exit, (code,))
    timer.daemon = True
    timer.start()


def _stop(consumer: Runnable, asked: int, received: SimpleQueue[int]) -> int | None:
    """Stop, and return the signal that was obeyed: SIGHUP only if none to end came after it; ``None`` if two did."""
    # In a thread, so that a second signal can cut it short.
    stopping = _in_thread(consumer.stop, signal.Signals(asked).name)
    while stopping.is_alive():
        stopping.join(0.05)
        while not received.empty():
            number = received.get()
            if number == signal.SIGHUP:
                continue
            if asked != signal.SIGHUP:
                log.warning("a second signal: giving everything back now")
                _in_thread(consumer.stop_now).join(LAST_MOMENT)
                return None
            asked = _give_up_restart(number)
    return asked


def _last_word(received: SimpleQueue[int]) -> int:
    """SIGHUP, unless a signal to end has come since."""
    while not received.empty():
        number = received.get()
        if number != signal.SIGHUP:
            return _give_up_restart(number)
    return signal.SIGHUP


def _give_up_restart(number: int) -> int:
    log.info("%s: the consumer will not start again", signal.Signals(number).name)
    return number


def _in_thread(function: Callable[..., object], *arguments: str) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, name="huey-stop", daemon=True)
    thread.start()
    return thread


def _execute_again() -> None:
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the arguments are our own

"""What signals do to a consumer process.

=================  =========================================================================================
SIGTERM, SIGINT    stop claiming, let running commands finish for up to ``SHUTDOWN_TIMEOUT``, give the rest back at
                   once, exit with 0
a second one       give everything back now, exit with 1; the same one again within a second is still the first, because
                   a supervisor may signal the process and its group
SIGHUP             the same as the first SIGTERM, then start again with the same arguments in the same process, unless
                   a signal to end comes in the meantime
=================  =========================================================================================

All this is so in the consumer's own process alone: one that a command forks obeys signals as it would without a
consumer.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Protocol

from huey_core.backends.forking import ForkAware
from huey_core.consumer.systemd import Notifier
from huey_core.exceptions import ConfigurationError, Unsupported
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = [
    "SIGNALS",
    "Runnable",
    "SignalHandlers",
    "can_start_again",
    "check_platform",
    "end_soon",
    "run_until_signalled",
    "start_again_soon",
]

log: Final = get_logger(__name__)

TO_END: Final = (signal.SIGTERM, signal.SIGINT)
# Windows has no SIGHUP; there the module is imported for its refusal.
SIGNALS: Final = (*TO_END, signal.SIGHUP) if hasattr(signal, "SIGHUP") else TO_END

ITS_OWN_END: Final = 0
"""What is noted in place of a signal when the consumer has stopped. There is no signal of this number."""

LOOKS_EVERY: Final = 1.0
"""Seconds after which the main thread looks at the latest whether a signal has come to another one."""

REPEATED: Final = 1.0
"""Seconds within which a signal that comes again is the same wish."""

LAST_MOMENT: Final = 1.0
"""Seconds within which everything must be given back after a second signal; leases do the rest."""

LOGGING_HAS: Final = 0.5
"""Seconds that logging may hold up what a signal asks for."""

THREADS_HAVE: Final = 5.0
"""Seconds that threads which commands have started may hold up an orderly exit."""

EXIT_HANDLERS_HAVE: Final = 30.0
"""Seconds that the exit handlers of the application and its libraries have then: some send what they have collected."""


class Runnable(Protocol):
    """What runs until a signal comes: a :class:`~huey_core.consumer.consumer.Consumer`, or several that act as one."""

    def start(self) -> None:
        """Start, and return when it runs."""

    def stop(self, reason: str) -> object:
        """Stop in an orderly way, and return when it has stopped."""

    def stop_now(self) -> None:
        """Give everything back at once, also while :meth:`stop` waits in another thread."""

    def is_healthy(self) -> bool:
        """Whether it runs as it should, for a watchdog; called in a thread of its own, at any time after the start."""

    def when_stopped(self, call: Callable[[], object]) -> None:
        """Have a function called when it has stopped, be it by itself; before it starts."""


def run_until_signalled(
    consumer: Runnable, restart: Callable[[], None] | None = None, clock: Callable[[], float] = time.monotonic
) -> int:
    """Start a consumer, run it until a signal comes or it has stopped, and stop it. Must be called in the main thread.

    Args:
        consumer: The consumer.
        restart: Starts the program again after SIGHUP, and does not return.
        clock: A monotonic time in seconds.

    Returns:
        The exit code: 0 after an orderly end, its own among them, 1 after a second signal, or when the consumer could
        not stop.

    Raises:
        ConfigurationError: It was called in another thread.
        Unsupported: The platform lacks the signals, as Windows does.
    """
    if threading.current_thread() is not threading.main_thread():
        raise ConfigurationError(
            "a consumer runs until a signal comes, and only the main thread gets signals; in another thread use "
            "start() and stop(), or start() and wait() for one that stops by itself"
        )
    check_platform()
    received = _Received(clock)
    handlers = SignalHandlers(received.note)
    notifier = Notifier()
    try:
        consumer.when_stopped(received.note_end)
        consumer.start()
        notifier.ready(consumer.is_healthy)
        first = received.wait()
        (notifier.starts_again if first == signal.SIGHUP else notifier.stops)()
        asked = _stop(consumer, first, received, notifier)
        if asked == signal.SIGHUP:
            _say(log.info, "starting again")
            # The program that starts inherits this, so that another one does not end it before it can handle it.
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            # From here on a signal to end is not noted but obeyed, so that none can come too late to be looked at.
            for number in TO_END:
                signal.signal(number, signal.SIG_DFL)
            asked = _last_word(received, notifier)
            if asked == signal.SIGHUP:
                notifier.close()
                (restart or _execute_again)()
    finally:
        notifier.close()
        handlers.put_back()
    return 1 if asked is None else 0


def check_platform() -> None:
    """Refuse a platform without the signals that a consumer process obeys.

    Raises:
        Unsupported: It lacks them, as Windows does.
    """
    if not hasattr(signal, "SIGHUP"):
        raise Unsupported(
            f"a consumer process needs the signals of POSIX, which {sys.platform} lacks; run it under WSL or in a "
            "container. Calling commands and reading their results works here"
        )


def can_start_again() -> bool:
    """Whether :func:`run_until_signalled` runs the consumer of this process."""
    return hasattr(signal, "SIGHUP") and isinstance(getattr(_handler(), "__self__", None), _Received)


def start_again_soon() -> None:
    """Do what SIGHUP does, where that is possible. Any thread may call this."""
    if can_start_again():
        os.kill(os.getpid(), signal.SIGHUP)


def _handler() -> object:
    return signal.getsignal(signal.SIGHUP)


def end_soon(code: int) -> None:
    """Make sure that this process, which is about to exit with ``code``, does end.

    An ordinary exit waits for every thread that a command has started, and there may be no end to that: they have
    :data:`THREADS_HAVE` seconds. Then it runs the exit handlers, which have :data:`EXIT_HANDLERS_HAVE`. When ``code``
    is not 0, both together have :data:`LAST_MOMENT`.
    """
    threads_ended, cut_off, said = threading.Event(), threading.Event(), threading.Event()
    # What is registered last is run first.
    atexit.register(threads_ended.set)

    def end() -> None:
        if code:
            time.sleep(LAST_MOMENT)
        elif threads_ended.wait(THREADS_HAVE):
            time.sleep(EXIT_HANDLERS_HAVE)
        else:
            cut_off.set()
            said.wait(LOGGING_HAS)
        os._exit(code)

    def say() -> None:
        cut_off.wait()
        log.warning("threads that commands have started do not end: exiting without exit handlers")
        said.set()

    # Both now, since a process that is ending starts no thread. Two, since a handler of the log may block for ever.
    for target in (end, say):
        threading.Thread(target=target, name=f"huey-{target.__name__}", daemon=True).start()


class _Received:
    """The signals that came, in order."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._noted: SimpleQueue[tuple[int, float]] = SimpleQueue()
        self._told_at: dict[int, float] = {}

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        # A handler runs between any two bytecodes of the main thread, even inside a lock of an Event; putting into a
        # SimpleQueue is safe there.
        self._noted.put((number, self._clock()))

    def note_end(self) -> None:
        """Note that the consumer has stopped, for whatever reason."""
        self._noted.put((ITS_OWN_END, self._clock()))

    def wait(self) -> int:
        """Wait for a signal, or for the consumer's own end, and return its number."""
        while True:
            # The system may hand a signal to any thread, and nothing wakes this one then, which alone handles it.
            with suppress(Empty):
                number, at = self._noted.get(timeout=LOOKS_EVERY)
                self._told_at[number] = at
                return number

    def news(self) -> Iterator[int]:
        """The numbers of those that have come since. The same one within a second is one."""
        while not self._noted.empty():
            number, at = self._noted.get()
            if number != ITS_OWN_END and at - self._told_at.get(number, float("-inf")) >= REPEATED:
                self._told_at[number] = at
                yield number


class SignalHandlers(ForkAware):
    """Has a function called instead of obeying signals, from now until the handlers from before are put back.

    Args:
        note: The function, as :func:`signal.signal` takes it.
    """

    def __init__(self, note: Callable[[int, FrameType | None], None]) -> None:
        self._note = note
        # One that was not installed from Python is None, and cannot be put back.
        self._previous = {number: signal.signal(number, note) or signal.SIG_DFL for number in SIGNALS}
        self._held_back: set[signal.Signals] = set()
        super().__init__()

    def put_back(self) -> None:
        """Let signals do what they did before."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def before_fork(self) -> None:
        """Hold signals back, because a child that has not put the handlers back yet would lose one that it gets."""
        self._held_back = set(SIGNALS) - signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)

    def after_fork_in_parent(self) -> None:
        """Let signals through again."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._held_back)

    def after_fork_in_child(self) -> None:
        """Obey signals here, where nobody reads what is noted; a command may handle them itself."""
        for number, handler in self._previous.items():
            if signal.getsignal(number) == self._note:
                signal.signal(number, handler)
        self._previous.clear()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._held_back)


def _stop(consumer: Runnable, asked: int, received: _Received, notifier: Notifier) -> int | None:
    """Stop, and return the signal that was obeyed: SIGHUP only if none to end came after; ``None`` when it failed."""
    # In a thread, so that a second signal can cut it short.
    stopping = _Stopping(consumer, "its own end" if asked == ITS_OWN_END else signal.Signals(asked).name)
    stopping.start()
    while stopping.is_alive():
        stopping.join(0.05)
        for number in received.news():
            if number == signal.SIGHUP:
                continue
            if asked != signal.SIGHUP:
                _say(log.warning, "a second signal: giving everything back now")
                _give_back(consumer)
                return None
            asked = _give_up_restart(number, notifier)
    if stopping.failed:
        _give_back(consumer)
        return asked if asked == signal.SIGHUP else None
    return asked


class _Stopping(threading.Thread):
    """Stops a consumer; that failed if it raised an exception, which was logged."""

    def __init__(self, consumer: Runnable, reason: str) -> None:
        super().__init__(name="huey-stop", daemon=True)
        self.failed = False
        self._consumer = consumer
        self._reason = reason

    def run(self) -> None:
        """Stop it."""
        try:
            self._consumer.stop(self._reason)
        except BaseException:
            # Whatever it is, the process must not end as if all had gone well.
            self.failed = True
            log.critical("the consumer crashed while it was stopping: giving everything back now", exc_info=True)


def _say(write: Callable[[str], None], text: str) -> None:
    """Log in a thread what the main one has to say: a handler of the application may block, and for ever."""
    thread = threading.Thread(target=write, args=(text,), name="huey-signals", daemon=True)
    thread.start()
    thread.join(LOGGING_HAS)


def _give_back(consumer: Runnable) -> None:
    thread = threading.Thread(target=consumer.stop_now, name="huey-stop-now", daemon=True)
    thread.start()
    thread.join(LAST_MOMENT)


def _last_word(received: _Received, notifier: Notifier) -> int:
    """SIGHUP, unless a signal to end has come since."""
    for number in received.news():
        if number != signal.SIGHUP:
            return _give_up_restart(number, notifier)
    return signal.SIGHUP


def _give_up_restart(number: int, notifier: Notifier) -> int:
    notifier.stops()
    _say(log.info, f"{signal.Signals(number).name}: the consumer will not start again")
    return number


def _execute_again() -> None:
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the arguments are our own

"""The program of a process of the pool: it runs deliveries, one after another, and sends their outcomes.

The consumer sends deliveries ahead, and a ticket for each: its number. Whoever reads a ticket has the delivery, and the
consumer reads them too, to take back what waits here. So a delivery begins here, or is given to another process, and
never both, whatever either of the two is doing meanwhile.

An outcome is handed over to the system before the next ticket is read: nothing that a later command does to this
process can lose it.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from huey_core.backends.messages import Delivery
from huey_core.backends.outcomes import Release
from huey_core.consumer.pools.process_codec import FrameReader, encode_outcome, frame
from huey_core.consumer.pools.run_page import RunPage
from huey_core.consumer.signals import SIGNALS, SignalHandlers, end_soon
from huey_core.safe_logging import get_logger
from huey_core.text import error_line
from huey_core.workers.interruption import ThreadInterruption
from huey_core.workers.remote import RemoteApplication

if TYPE_CHECKING:
    from types import FrameType

    from huey_core.exceptions import CommandInterrupted
    from huey_core.workers.remote import RemoteRunner

__all__ = ["CRASHED", "FAILED", "NOT_STARTED", "OUTCOME", "READY", "TICKET", "Child", "main"]

log: Final = get_logger(__name__)

TICKET: Final = struct.Struct("=q")
"""How the number of a delivery is written."""

READY: Final = "ready"
"""The process has loaded the application."""
FAILED: Final = "failed"
"""It could not: the error in a line."""
OUTCOME: Final = "outcome"
"""A delivery has ended: its number, the seconds that it took, and the values of the outcome."""
CRASHED: Final = "crashed"
"""A delivery has no outcome: its number, and why."""
NOT_STARTED: Final = "not started"
"""A delivery was not begun, since its lease may have ended: its number."""

PREPARE_AGAIN: Final = 1.0
"""Seconds for which deliveries are put back that plugins could not look at."""

READ_AT_ONCE: Final = 2**16

PR_SET_PDEATHSIG: Final = 1


class _Sent(NamedTuple):
    """A delivery that was sent ahead: when its lease ends, what it is to be ended with, and what came with it."""

    number: int
    delivery: Delivery
    until: float
    error: str | None
    queue_name: str
    batch: object


class Child:
    """What a process of the pool does.

    Args:
        stream: Brings deliveries and takes outcomes.
        tickets: The descriptor that tickets are read from, one at a time.
        page: Where it is noted what runs.
    """

    def __init__(self, stream: socket.socket, tickets: int, page: RunPage) -> None:
        self._stream = stream
        self._tickets = tickets
        self._page = page
        self._reader = FrameReader()
        self._frames: deque[tuple[Any, ...]] = deque()
        self._sent: deque[_Sent] = deque()
        self._prepared: object = None
        self._interruption = _Interruption(page)
        self._current: tuple[int, Delivery] | None = None

    def run(self) -> None:
        """Load the application, and run deliveries until there are no more tickets."""
        path, factory, arguments, worker = self._receive()
        sys.path[:] = path
        threading.current_thread().name = f"huey-{worker}"
        try:
            remote = RemoteApplication(factory, arguments).load()
        except BaseException as error:
            log.critical("the application cannot be loaded", exc_info=True)
            self._send(FAILED, error_line(error))
            raise SystemExit(1) from error
        remote.start(worker)
        self._send(READY)
        while len(ticket := os.read(self._tickets, TICKET.size)) == TICKET.size:
            (number,) = TICKET.unpack(ticket)
            sent = self._sent_with(number)
            self._current = number, sent.delivery
            self._page.begin(number)
            self._send(*self._run(remote, sent))
        remote.stop(worker)

    def obey(self, control: socket.socket) -> None:
        """Interrupt the commands that the consumer says, until that has ended, and then end this process."""
        reader = FrameReader()
        with suppress(OSError):
            while data := control.recv(READ_AT_ONCE):
                for number, error in reader.feed(data):
                    current = self._current
                    if current is not None and current[0] == number:
                        self._interruption.interrupt(current[1], _error_type(error))
        os._exit(1)

    def _run(self, remote: RemoteRunner, sent: _Sent) -> tuple[Any, ...]:
        number, delivery, until, error, queue_name, _ = sent
        started = time.monotonic()
        if until <= started:
            return NOT_STARTED, number
        try:
            if sent.batch is not self._prepared and not self._prepare(remote, sent):
                return OUTCOME, number, 0.0, encode_outcome(Release(delivery, PREPARE_AGAIN), {})
            if error is None:
                outcome = remote.run(queue_name, delivery, self._interruption)
            else:
                outcome = remote.interrupted(queue_name, delivery, _error_type(error))
            values = encode_outcome(outcome, remote.stores(queue_name))
        except BaseException as raised:
            # Not an error of the command, which the runner would have handled.
            log.critical("a worker crashed: message %s has no outcome", delivery.message_id, exc_info=True)
            return CRASHED, number, f"its worker crashed: {error_line(raised)}"
        return OUTCOME, number, time.monotonic() - started, values

    def _prepare(self, remote: RemoteRunner, sent: _Sent) -> bool:
        """Let plugins look at a delivery and at what came with it, as far as that is not over."""
        batch = [sent, *(one for one in self._sent if one.batch is sent.batch)]
        try:
            remote.prepare(sent.queue_name, [one.delivery for one in batch])
        except Exception as error:  # noqa: BLE001 - a plugin, or a driver whose server is away
            message = "plugins could not look at a message, putting it back for %g s: %s"
            log.warning(message, PREPARE_AGAIN, error_line(error), extra={"queue": sent.queue_name})
            return False
        self._prepared = sent.batch
        return True

    def _sent_with(self, number: int) -> _Sent:
        """The delivery of a number. Those before it were taken back."""
        while True:
            while self._sent:
                if (sent := self._sent.popleft()).number == number:
                    return sent
            queue_name, entries = self._receive()
            batch = object()
            self._sent.extend(
                _Sent(each, Delivery(*delivery), until, error, queue_name, batch)
                for each, delivery, until, error in entries
            )

    def _receive(self) -> tuple[Any, ...]:
        while not self._frames:
            data = self._stream.recv(READ_AT_ONCE)
            if not data:
                os._exit(1)
            self._frames.extend(self._reader.feed(data))
        return self._frames.popleft()

    def _send(self, *values: Any) -> None:
        self._stream.sendall(frame(*values))


class _Interruption(ThreadInterruption):
    """Raises exceptions in the thread that runs deliveries, and lets the consumer know of time limits."""

    def __init__(self, page: RunPage) -> None:
        # The consumer sees to it that the process ends when the command does not.
        super().__init__(threading.TIMEOUT_MAX)
        self._page = page

    def enter(self, delivery: Delivery, timeout: float | None = None) -> None:
        """Note that a command begins, for the consumer too."""
        self._page.enter(is_inside=True)
        super().enter(delivery, timeout)

    def leave(self) -> None:
        """Note that it has ended."""
        super().leave()
        self._page.enter(is_inside=False)

    def armed(self, deadline: float | None) -> None:
        """Note the time limit, for the consumer too."""
        super().armed(deadline)
        self._page.arm(deadline)


def _error_type(name: str) -> type[CommandInterrupted]:
    module, _, name = name.partition(":")
    error: type[CommandInterrupted] = attrgetter(name)(importlib.import_module(module))
    return error


def end_with(parent: int) -> None:
    """Have the system end this process when the thread of its parent has ended that started it, where it can do that.

    A thread that waits for the parent to close a pipe is not enough: code in C may keep it from running.

    Args:
        parent: The process id of the parent, which may have ended already.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Leave it to the consumer, which gets the signals of a terminal or of a supervisor as well, to end this process.

    A function, because what is really ignored would be ignored by the programs that commands start, too.
    """


def main() -> None:
    """Run with the descriptors and the process id in the arguments."""
    stream_end, tickets, control_end, page, parent = map(int, sys.argv[1:])
    end_with(parent)
    handlers = SignalHandlers(_ignore)
    # The consumer has held them back from us until here.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    for descriptor in (stream_end, tickets, control_end):
        os.set_inheritable(descriptor, False)
    stream, control = socket.socket(fileno=stream_end), socket.socket(fileno=control_end)
    run_page = RunPage(page)
    os.close(page)

    def after_fork_in_child() -> None:
        """Let go of what would keep the consumer from noticing the end of this process."""
        stream.close()
        control.close()
        with suppress(OSError):
            os.close(tickets)

    os.register_at_fork(after_in_child=after_fork_in_child)
    child = Child(stream, tickets, run_page)
    threading.Thread(target=child.obey, args=(control,), name="huey-control", daemon=True).start()
    child.run()
    end_soon(0)
    # Kept until here: with the last reference to it, a fork would no longer concern it.
    del handlers


if __name__ == "__main__":
    main()

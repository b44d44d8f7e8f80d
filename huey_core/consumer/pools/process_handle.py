"""A process of the pool, as the consumer has it."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from huey_core.consumer.pools.process_codec import FrameReader, frame
from huey_core.consumer.pools.process_main import TICKET
from huey_core.consumer.pools.run_page import RunPage, make_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.exceptions import CommandInterrupted
    from huey_core.workers.base import Runner
    from huey_core.workers.remote import RemoteApplication

__all__ = ["Job", "ProcessHandle"]

READ_AT_ONCE: Final = 2**18

PROGRAM: Final = "huey_core.consumer.pools.process_main"


@dataclass(eq=False, slots=True)
class Job:
    """A delivery that the pool has.

    Attributes:
        delivery: The delivery.
        runner: What hands on its outcome.
        order: Its place among all that the pool was given.
        error: What it is to be ended with, or was; ``None`` while nobody wants that.
        kill_at: When its process is to be killed, on the monotonic clock.
        is_killed: Whether it was, and the delivery is to end with the error.
    """

    delivery: Delivery
    runner: Runner
    order: int
    error: type[CommandInterrupted] | None = None
    kill_at: float = float("inf")
    is_killed: bool = False


class ProcessHandle:
    """Starts a process, sends it deliveries, and reads what it sends. For one thread at a time.

    It must be started by a thread that lives as long as it is to live: on Linux it ends with that.

    Args:
        worker: What its worker is called.
        application: What it is to run.

    Raises:
        OSError: The system has no more processes, memory or descriptors.

    Attributes:
        jobs: What it was given and has not ended, by number, in order.
        given: How many it was given, less those that were taken back.
        started: When it was started, on the monotonic clock.
        is_ready: Whether it has loaded the application.
        is_leaving: Whether it is given no more, and ends after what it runs.
        has_closed: Whether it will send nothing more, because it is ending.
        failure: Why it could not load the application.
    """

    def __init__(self, worker: str, application: RemoteApplication) -> None:
        self.worker = worker
        self.jobs: dict[int, Job] = {}
        self.given = 0
        self.started = time.monotonic()
        self.is_ready = False
        self.is_leaving = False
        self.has_closed = False
        self.failure = ""
        self._reader = FrameReader()
        self._unsent = bytearray()
        self.stream, stream = socket.socketpair()
        self._tickets, self._unread = socket.socketpair()
        self._control, control = socket.socketpair()
        page = make_page()
        self._page = RunPage(page)
        passed = (stream.fileno(), self._unread.fileno(), control.fileno(), page)
        try:
            # Without -P it would first look for our modules in the current directory.
            self.process = subprocess.Popen(  # noqa: S603 - the arguments are our own
                [sys.executable, *_interpreter_options(), "-P", "-m", PROGRAM, *map(str, passed), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                pass_fds=passed,
            )
        finally:
            stream.close()
            control.close()
            os.close(page)
        self.stream.setblocking(False)
        self._send(sys.path, application.factory, dict(application.arguments), worker)

    @property
    def has_unsent(self) -> bool:
        """Whether :meth:`send_on` has something to do when the stream can be written."""
        return bool(self._unsent)

    def give(self, numbered: Sequence[tuple[int, Job]]) -> None:
        """Send deliveries."""
        begin = 0
        for index in range(1, len(numbered) + 1):
            queue_name = numbered[begin][1].runner.queue_name
            if index < len(numbered) and numbered[index][1].runner.queue_name == queue_name:
                continue
            entries = []
            for number, job in numbered[begin:index]:
                one = job.delivery
                values = one.data, one.message_id, one.receipt, one.attempt
                entries.append((number, values, job.runner.leased_until(one), _name(job.error)))
            self._send(queue_name, entries)
            begin = index
        self.jobs.update(numbered)
        self.given += len(numbered)
        self._tickets.sendall(b"".join(TICKET.pack(number) for number, _ in numbered))

    def take_back(self) -> list[Job]:
        """Take back what it has not begun, in order; it begins that no more."""
        taken: list[Job] = []
        while True:
            try:
                tickets = self._unread.recv(READ_AT_ONCE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                tickets = b""
            if not tickets:
                self.given -= len(taken)
                return taken
            taken += [self.jobs.pop(number) for (number,) in TICKET.iter_unpack(tickets)]

    def leave(self) -> None:
        """Have it end after what it was given; when it has not loaded the application, now."""
        if not self.is_leaving:
            self.is_leaving = True
            self._tickets.close()
            if not self.is_ready:
                self.kill()

    def interrupt(self, number: int, error: type[CommandInterrupted]) -> None:
        """Have an exception raised in the command of a delivery, if that runs."""
        with suppress(OSError):
            self._control.sendall(frame(number, _name(error)))

    def send_on(self) -> None:
        """Send what the stream did not take at once."""
        try:
            sent = self.stream.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            # It has ended.
            sent = len(self._unsent)
        del self._unsent[:sent]

    def received(self) -> Iterator[tuple[Any, ...]]:
        """What it has sent since this was asked last."""
        while True:
            try:
                data = self.stream.recv(READ_AT_ONCE)
            except (BlockingIOError, ConnectionError):
                return
            if not data:
                self.has_closed = True
                return
            yield from self._reader.feed(data)

    def current(self) -> tuple[int, float] | None:
        """The number of the delivery that it runs, and since when; ``None`` when it runs none."""
        number, started = self._page.current()
        return (number, started) if number in self.jobs else None

    def is_in_command(self) -> bool:
        """Whether it is in a command, and not in a hook before or after one."""
        return self._page.is_inside()

    def deadline(self) -> float | None:
        """When the time limit of the command ends that it runs, on the monotonic clock."""
        return self._page.deadline()

    def listen(self, selector: selectors.BaseSelector) -> None:
        """Have a selector wait for what it sends, and until it takes what is unsent; for nothing once it has closed."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        known = selector.get_map().get(self.stream)
        if self.has_closed:
            if known is not None:
                selector.unregister(self.stream)
        elif known is None:
            selector.register(self.stream, events)
        elif known.events != events:
            selector.modify(self.stream, events)

    def fail(self, reason: str) -> None:
        """Note why it could not load the application, and end it: threads that were left there might go on."""
        self.failure = reason
        self.kill()

    def kill(self) -> None:
        """End it now."""
        self.process.kill()

    def how_it_ended(self) -> str:
        """In words, for one that has."""
        code = self.process.returncode
        if code >= 0:
            return f"its process ended with the exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"its process was killed by {name}"

    def close(self) -> None:
        """Let go of what belongs to it, once it has ended."""
        for end in (self.stream, self._tickets, self._unread, self._control):
            end.close()

    def _send(self, *values: Any) -> None:
        self._unsent += frame(*values)
        self.send_on()


def _interpreter_options() -> list[str]:
    """Those that this program was started with, such as ``-O``, which decide what its code does."""
    # As multiprocessing does.
    options: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return options


def _name(error: type[CommandInterrupted] | None) -> str | None:
    return None if error is None else f"{error.__module__}:{error.__qualname__}"

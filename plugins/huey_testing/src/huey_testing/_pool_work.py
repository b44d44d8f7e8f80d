"""What the pools of the kit run, and what is seen of it: in files, since a pool may run it in another process."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import threading
import time
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from huey_core.backends import Ack, Delivery
from huey_core.exceptions import CommandInterrupted, CommandTimeout
from huey_core.workers import RemoteApplication

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from huey_core.backends import BaseDataStore, Outcome
    from huey_core.workers import Interruption

__all__ = ["Cancelled", "Event", "RemoteWork", "Work", "WorkRunner"]

PAUSE: Final = 0.002
"""Seconds between two looks of a run that waits."""

_seen: Final[ContextVar[str]] = ContextVar("huey_testing.seen")
"""The message of the run that has this context."""

OVER: Final = "over"
"""The gate that is opened at the end of a test, and that every run goes through."""


class Cancelled(CommandInterrupted):
    """What the kit has raised in a run that it cancels."""


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        kind: ``begin`` or ``end`` of a run, ``follow`` when what follows its command begins, or what was called, such
            as ``has_run`` or ``on_start``.
        subject: The id of the message, or the name of the worker.
        detail: How it ended, for an ``end``; the name of the runner, for what a pool says to it.
        pid: The process.
        thread: The thread.
        loop: The event loop, as a number; 0 for none.
        at: When, on the monotonic clock, which all processes share.
    """

    kind: str
    subject: str
    detail: str
    pid: int
    thread: int
    loop: int
    at: float


class Work:
    """Deliveries, gates for which they wait, and a log of what happened to them.

    Args:
        folder: An empty folder.
        pid: The process of the test; this one when ``None``.
    """

    def __init__(self, folder: Path, pid: int | None = None) -> None:
        self._folder = folder
        self._pid = pid or os.getpid()
        self._numbers = itertools.count(1)
        self._log = folder / "log"
        self._log.touch()

    def delivery(self, do: str = "return", gate: str = OVER, timeout: float | None = None) -> Delivery:
        """Make a delivery that returns, raises or crashes; or waits, loops or blocks in a call until a gate opens.

        Or it returns, and what follows the command, as hooks do, goes on until the gate opens (``"follow"``). With a
        ``timeout`` in seconds, the command has a time limit.
        """
        number = str(next(self._numbers))
        if do == "block":
            os.mkfifo(self._folder / f"fifo-{number}")
        return Delivery(json.dumps([do, gate, timeout]).encode(), number, f"receipt-{number}", 1)

    def deliveries(self, count: int, do: str = "return", gate: str = OVER) -> list[Delivery]:
        """Make several of the same kind."""
        return [self.delivery(do, gate) for _ in range(count)]

    def open(self, gate: str) -> None:
        """Let go on what waits for a gate."""
        (self._folder / f"gate-{gate}").touch()

    def end(self) -> None:
        """Let go on everything."""
        self.open(OVER)
        for fifo in self._folder.glob("fifo-*"):
            # Without a reader it cannot be opened, and nobody waits for it.
            with suppress(OSError):
                os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))

    def application(self) -> RemoteApplication:
        """The same for a pool that runs deliveries in other processes."""
        arguments = {"folder": str(self._folder), "pid": self._pid}
        return RemoteApplication(f"{__name__}:RemoteWork", arguments)

    def note(self, kind: str, subject: str, detail: str = "") -> None:
        """Write into the log, from any process and thread."""
        loop = asyncio._get_running_loop()
        event = Event(
            kind,
            subject,
            detail,
            os.getpid(),
            threading.get_ident(),
            0 if loop is None else id(loop),
            time.monotonic(),
        )
        line = json.dumps(asdict(event)).encode() + b"\n"
        with open(self._log, "ab", buffering=0) as log:
            log.write(line)

    def events(self, kind: str) -> list[Event]:
        """What was noted of one kind, in order."""
        # A line that is being written may be seen in part.
        lines = self._log.read_bytes().rpartition(b"\n")[0].splitlines()
        return [event for event in (Event(**json.loads(line)) for line in lines) if event.kind == kind]

    def subjects(self, kind: str) -> list[str]:
        """The messages or workers of which something was noted, in order."""
        return [event.subject for event in self.events(kind)]

    def endings(self) -> dict[str, str]:
        """How each run has ended that has: ``returned``, ``raised`` or ``cancelled``."""
        return {event.subject: event.detail for event in self.events("end")}

    def is_here(self) -> bool:
        """Whether this is the process of the test."""
        return os.getpid() == self._pid

    def do(self, delivery: Delivery) -> None:
        """Do what a delivery says."""
        do, gate, _ = json.loads(delivery.data)
        if do == "raise":
            raise SystemExit("raised by the conformance kit")
        if do == "crash":
            self._crash(delivery)
        elif do == "block":
            os.close(os.open(self._folder / f"fifo-{delivery.message_id}", os.O_RDONLY))
        else:
            while do in {"loop", "wait"} and not self._is_open(gate):
                if do == "wait":
                    time.sleep(PAUSE)

    async def do_async(self, delivery: Delivery) -> None:
        """The same as a coroutine, which awaits while it waits."""
        do, gate, _ = json.loads(delivery.data)
        while do == "wait" and not self._is_open(gate):
            await asyncio.sleep(PAUSE)
        if do != "wait":
            self.do(delivery)

    def follow(self, delivery: Delivery) -> None:
        """Do what follows the command of a delivery."""
        do, gate, _ = json.loads(delivery.data)
        if do == "follow":
            self.note("follow", delivery.message_id)
            while not self._is_open(gate):
                pass

    async def follow_async(self, delivery: Delivery) -> None:
        """The same in an event loop, which it does not keep."""
        do, gate, _ = json.loads(delivery.data)
        if do == "follow":
            self.note("follow", delivery.message_id)
            while not self._is_open(gate):
                await asyncio.sleep(PAUSE)

    def _is_open(self, gate: str) -> bool:
        return any((self._folder / f"gate-{one}").exists() for one in (gate, OVER))

    def _crash(self, delivery: Delivery) -> None:
        if self.is_here():
            # The end of the whole run of tests would show it, but not well.
            self.note("crash", delivery.message_id, "in the process of the consumer")
        else:
            os.kill(os.getpid(), signal.SIGKILL)


class WorkRunner:
    """Runs deliveries of :class:`Work` as a consumer's runner does, and notes it.

    Args:
        work: Where it is noted.
        name: What it is called there.
        look: Called in each run, if that is in the process of the test.
        look_after: Called in each ``has_run``.
    """

    def __init__(
        self,
        work: Work,
        name: str = "runner",
        look: Callable[[], Any] = lambda: None,
        look_after: Callable[[], Any] = lambda: None,
    ) -> None:
        self.name = name
        self._work = work
        self._look = look
        self._look_after = look_after

    def run(self, delivery: Delivery, interruption: Interruption | None = None) -> None:
        """Do what the delivery says. Being cancelled is how it has ended; anything else is raised."""
        self._begin(delivery)
        do = partial(self._work.do, delivery)
        try:
            if interruption is None:
                do()
            else:
                interruption.call(delivery, json.loads(delivery.data)[-1], do)
            self._work.follow(delivery)
        except (Cancelled, CommandTimeout):
            self._work.note("end", delivery.message_id, "cancelled")
        except BaseException:
            self._work.note("end", delivery.message_id, "raised")
            raise
        else:
            self._work.note("end", delivery.message_id, "returned")

    async def run_async(
        self, delivery: Delivery, interruption: Interruption | None = None, *, executor: Executor | None = None
    ) -> None:
        """The same in an event loop."""
        self._begin(delivery)
        if _seen.get(None) is not None:
            self._work.note("stained", delivery.message_id, self.name)
        _seen.set(delivery.message_id)
        try:
            if interruption is None:
                await self._work.do_async(delivery)
            else:
                timeout = json.loads(delivery.data)[-1]
                await interruption.call_async(delivery, timeout, partial(self._work.do_async, delivery))
            await self._work.follow_async(delivery)
        except (Cancelled, CommandTimeout, asyncio.CancelledError):
            self._work.note("end", delivery.message_id, "cancelled")
        except BaseException:
            self._work.note("end", delivery.message_id, "raised")
            raise
        else:
            self._work.note("end", delivery.message_id, "returned")

    @property
    def queue_name(self) -> str:
        """Its name."""
        return self.name

    @property
    def stores(self) -> dict[str, BaseDataStore]:
        """None."""
        return {}

    def leased_until(self, delivery: Delivery) -> float:
        """For ever."""
        return float("inf")

    def not_started(self, delivery: Delivery) -> None:
        """Note it."""
        self._work.note("not_started", delivery.message_id, self.name)

    def finish(self, outcome: Outcome, seconds: float) -> None:
        """Note it."""
        self._work.note("finish", outcome.delivery.message_id, self.name)

    def has_run(self) -> None:
        """Note it."""
        self._look_after()
        self._work.note("has_run", "", self.name)

    def release(self, delivery: Delivery) -> None:
        """Note it."""
        self._work.note("release", delivery.message_id, self.name)

    def abandon(self, delivery: Delivery, reason: str = "") -> None:
        """Note it."""
        self._work.note("abandon", delivery.message_id, self.name)

    def _begin(self, delivery: Delivery) -> None:
        self._work.note("begin", delivery.message_id, self.name)
        if self._work.is_here():
            self._look()


class RemoteWork:
    """Runs deliveries of :class:`Work` in a process of the pool.

    Args:
        folder: The folder of the work.
        pid: The process of the test.
    """

    def __init__(self, folder: str, pid: int) -> None:
        self._work = Work(Path(folder), pid)

    def start(self, worker: str) -> None:
        """Note it."""
        self._work.note("on_start", worker)

    def stop(self, worker: str) -> None:
        """Note it."""
        self._work.note("on_stop", worker)

    def stores(self, queue_name: str) -> dict[str, BaseDataStore]:
        """None."""
        return {}

    def prepare(self, queue_name: str, deliveries: Sequence[Delivery]) -> None:
        """Do nothing."""

    def run(self, queue_name: str, delivery: Delivery, interruption: Interruption | None = None) -> Outcome:
        """Do what the delivery says."""
        WorkRunner(self._work, queue_name).run(delivery, interruption)
        return Ack(delivery)

    def interrupted(self, queue_name: str, delivery: Delivery, error: type[CommandInterrupted]) -> Outcome:
        """End it as if it had been interrupted."""
        self._work.note("end", delivery.message_id, "cancelled")
        return Ack(delivery)

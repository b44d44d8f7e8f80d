"""Processes that run deliveries.

Each loads the application anew; nothing is forked from this process, whose threads may hold locks. One thread starts
them, reads what they send, and notices when one ends, however it does. Another one hands on the outcomes, which may
wait for a server.
"""

from __future__ import annotations

import itertools
import os
import selectors
import signal
import threading
import time
from collections import deque
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, ClassVar, Final

from huey_core.consumer.memory import resident_memory
from huey_core.consumer.pools import process_main
from huey_core.consumer.pools.process_codec import decode_outcome
from huey_core.consumer.pools.process_handle import Job, ProcessHandle
from huey_core.consumer.pools.process_supply import Supply
from huey_core.consumer.pools.wakeup import Wakeup
from huey_core.consumer.signals import SIGNALS
from huey_core.consumer.supervision import run_supervised
from huey_core.exceptions import CommandTimeout, ConfigurationError
from huey_core.safe_logging import get_logger
from huey_core.text import counted, error_line
from huey_core.workers.abilities import PoolAbility
from huey_core.workers.base import PoolSettings, Run, Runner, WorkerPool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.exceptions import CommandInterrupted

__all__ = ["ProcessPool"]

log: Final = get_logger(__name__)

ENDING: Final = 0.005
"""Seconds between two looks whether a process has ended that is about to."""

LINGER: Final = 0.001
"""Seconds for which outcomes may come together while each process has plenty to do."""

STUCK: Final = 0.05
"""Seconds after which others get what waits behind a command."""

LOOK: Final = 0.25
"""Seconds between two looks at processes that are busy, and at what they take, for what they do not announce."""


class ProcessPool(WorkerPool):
    """Runs deliveries in processes, each one after another."""

    abilities: ClassVar[frozenset[PoolAbility]] = frozenset(
        {PoolAbility.INTERRUPT_PYTHON, PoolAbility.INTERRUPT_ANYTHING, PoolAbility.SURVIVE_CRASH}
    )
    remote: ClassVar[bool] = True

    @classmethod
    def default_size(cls) -> int:
        """As many as there are cores for this process."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def __init__(self, settings: PoolSettings) -> None:
        super().__init__(settings)
        if os.name != "posix":
            raise ConfigurationError("the worker pool 'process' needs a system such as Linux or macOS")
        if settings.application is None:
            raise ConfigurationError(
                "the worker pool 'process' imports the application in each of its processes, so it must be told where "
                "that is: Consumer(invoker, worker_type='process', application='main.invoker')"
            )
        self._application = settings.application
        self._settings = settings
        self._supply = Supply(settings.size, settings.max_commands)
        self._changed = threading.Condition(threading.RLock())
        self._waiting: deque[Job] = deque()
        self._children: list[ProcessHandle] = []
        self._order = itertools.count()
        self._numbers = itertools.count(1)
        self._is_stopping = False
        self._is_killed = False
        self._failure = ""
        self._is_loadable = False
        self._next_start = 0.0
        self._next_measurement = 0.0
        self._wakeup = Wakeup()
        self._is_asleep = False
        self._ended: SimpleQueue[list[Callable[[], object]] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(
                target=run_supervised, args=(work, what, settings.restart_after), name=f"huey-{name}", daemon=True
            )
            for name, work, what in (
                ("processes", self._work, "the thread of the worker processes"),
                ("outcomes", self._hand_on, "the thread that hands on outcomes"),
            )
        ]

    def start(self) -> None:
        """Start the processes, and wait until one has loaded the application; else raise ``ConfigurationError``."""
        self._wakeup.open()
        for thread in self._threads:
            thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._failure or self._is_any_ready())
            if self._failure:
                raise ConfigurationError(self._failure)

    def put(self, deliveries: Sequence[Delivery], runner: Runner) -> None:
        """Add deliveries, in order."""
        with self._changed:
            if self._failure:
                raise RuntimeError(self._failure)
            self._waiting.extend(Job(delivery, runner, next(self._order)) for delivery in deliveries)
            self._supply.ahead.weigh(max((len(delivery.data) for delivery in deliveries), default=0))
            self._give()
            if self._is_asleep or any(child.has_unsent for child in self._children):
                self._wakeup.wake()

    def room(self) -> int:
        """How many processes there are more than deliveries that were put in and not run to their end."""
        with self._changed:
            return self.size - len(self._waiting) - sum(len(child.jobs) for child in self._children)

    def waiting(self) -> int:
        """How many deliveries have not begun."""
        with self._changed:
            begun = sum(child.current() is not None for child in self._children)
            return len(self._waiting) + sum(len(child.jobs) for child in self._children) - begun

    def drain(self) -> list[tuple[Delivery, Runner]]:
        """Remove and return what has not begun, in order."""
        with self._changed:
            drained = [job for child in self._children for job in child.take_back()]
            drained += self._waiting
            self._waiting.clear()
            return [(job.delivery, job.runner) for job in sorted(drained, key=lambda job: job.order)]

    def running(self) -> list[Run]:
        """What runs now."""
        with self._changed:
            found = [(child, current) for child in self._children if (current := child.current()) is not None]
            jobs = [(child.jobs[number], started) for child, (number, started) in found]
            return [Run(job.delivery, job.runner, started) for job, started in jobs]

    def has_worker(self, thread: threading.Thread) -> bool:
        """Whether a thread is one of the pool's."""
        return thread in self._threads

    def cancel(self, run: Run, error: type[CommandInterrupted]) -> bool:
        """Raise an exception in the command, and kill its process when it has not ended after the grace."""
        with self._changed:
            for child in self._children:
                current = child.current()
                if current is not None and child.jobs[current[0]].delivery is run.delivery:
                    self._interrupt(child, current[0], error)
                    return True
        return False

    def stop(self) -> None:
        """Have each process end when nothing waits any more."""
        with self._changed:
            self._is_stopping = True
        self._wakeup.wake()

    def problem(self) -> str | None:
        """Say why no process can run anything, or that a thread which looks after them has ended."""
        with self._changed:
            if self._failure:
                return self._failure
        is_well = all(thread.is_alive() for thread in self._threads)
        return None if is_well else "a thread that looks after the worker processes has ended"

    def wait(self, seconds: float) -> bool:
        """Wait for the processes and the pool's threads to end, for so long at the most."""
        alive = next((thread for thread in self._threads if thread.is_alive()), None)
        if alive is not None:
            alive.join(seconds)
        return not any(thread.is_alive() for thread in self._threads)

    def kill(self) -> None:
        """Kill the processes, and give back what was to end in another one."""
        with self._changed:
            self._is_stopping = self._is_killed = True
            for job in self._waiting:
                job.runner.release(job.delivery)
            self._waiting.clear()
            for child in self._children:
                child.kill()
        self._wakeup.wake()

    def _work(self) -> None:
        # The processes inherit this, so that none dies of Ctrl-C before it can leave that to us.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        with selectors.DefaultSelector() as selector:
            selector.register(self._wakeup, selectors.EVENT_READ)
            while self._look_after(selector):
                for key, _ in selector.select(self._until_next_look()):
                    if key.fileobj is self._wakeup:
                        self._wakeup.clear()
                with self._changed:
                    is_plenty = self._supply.is_plenty(self._children)
                if is_plenty:
                    time.sleep(LINGER)
        self._wakeup.close()
        self._ended.put(None)

    def _look_after(self, selector: selectors.BaseSelector) -> bool:
        """Do all that there is to do now, and return whether there may be more later."""
        ended: list[Callable[[], object]] = []
        with self._changed:
            for child in list(self._children):
                has_ended = child.process.poll() is not None
                ended += self._read(child)
                if has_ended:
                    ended += self._bury(child, selector)
                else:
                    ended += self._enforce(child)
            if not self._is_killed:
                self._replace_large()
                ended += self._start_missing()
                self._give()
            for child in self._children:
                if self._is_stopping and not self._waiting and not child.jobs:
                    child.leave()
                child.listen(selector)
                if child.has_unsent:
                    child.send_on()
            goes_on = bool(self._children) or not self._is_stopping or (bool(self._waiting) and not self._is_killed)
        if ended:
            self._ended.put(ended)
        return goes_on

    def _until_next_look(self) -> float | None:
        with self._changed:
            self._is_asleep = False
            if any(child.has_closed for child in self._children):
                return ENDING
            if any(len(child.jobs) > 1 for child in self._children):
                return STUCK
            is_any_busy = any(child.jobs or not child.is_ready for child in self._children)
            if self._is_stopping or self._next_start or is_any_busy:
                return LOOK
            self._is_asleep = True
            return None

    def _start_missing(self) -> list[Callable[[], object]]:
        staying = [child for child in self._children if not child.is_leaving]
        # While the application cannot be loaded, as far as is known, one more is enough to find that out.
        wanted = self.size if self._is_loadable else sum(child.is_ready for child in staying) + 1
        wanted = min(wanted, len(self._waiting) if self._is_stopping else self.size)
        if len(staying) >= wanted or time.monotonic() < self._next_start:
            return []
        self._next_start = 0.0
        try:
            for _ in range(wanted - len(staying)):
                taken = {child.worker for child in self._children}
                free = (name for number in itertools.count(1) if (name := f"worker-{number}") not in taken)
                self._children.append(ProcessHandle(next(free), self._application))
        except OSError as error:
            return self._fail(f"a worker process cannot be started: {error}")
        return []

    def _replace_large(self) -> None:
        """Have processes end after their command that take too much memory."""
        most, now = self._settings.max_memory, time.monotonic()
        if most is None or now < self._next_measurement:
            return
        self._next_measurement = now + LOOK
        for child in self._children:
            # One that is too large from the beginning runs at least one command.
            has_run = child.given > len(child.jobs)
            if has_run and not child.is_leaving and (size := resident_memory(child.process.pid)) > most:
                log.info("%s is replaced, since it takes %d MiB", child.worker, size // 2**20)
                self._waiting.extendleft(reversed(child.take_back()))
                child.leave()

    def _fail(self, reason: str) -> list[Callable[[], object]]:
        """Start no process for a while; when there is none, give back what waits, and take no more."""
        log.error("%s", reason)
        self._is_loadable = False
        self._next_start = time.monotonic() + self._settings.restart_after
        if self._is_any_ready():
            return []
        self._failure = reason
        given_back = [*self._waiting]
        self._waiting.clear()
        self._changed.notify_all()
        return [
            *(partial(job.runner.release, job.delivery) for job in given_back),
            *(job.runner.has_run for job in given_back),
        ]

    def _read(self, child: ProcessHandle) -> list[Callable[[], object]]:
        """Read what a process has sent, and return what is to be done of it."""
        finished: list[Callable[[], object]] = []
        over: list[Callable[[], object]] = []
        for kind, *values in child.received():
            if kind == process_main.READY:
                child.is_ready = self._is_loadable = True
                self._failure = ""
                self._changed.notify_all()
                continue
            if kind == process_main.FAILED:
                child.fail(*values)
                continue
            job = child.jobs.pop(values[0])
            over.append(job.runner.has_run)
            if kind == process_main.OUTCOME:
                finished.append(self._finished(job, *values[1:]))
            elif kind == process_main.CRASHED:
                finished.append(partial(job.runner.abandon, job.delivery, values[1]))
            else:
                finished.append(partial(job.runner.not_started, job.delivery))
        return finished + over

    def _finished(self, job: Job, seconds: float, values: tuple[object, ...]) -> Callable[[], object]:
        self._supply.ahead.observe(seconds)
        try:
            outcome = decode_outcome(job.delivery, values, job.runner.stores)
        except Exception as error:
            log.exception("the outcome of message %s cannot be read", job.delivery.message_id)
            return partial(job.runner.abandon, job.delivery, f"its outcome could not be read: {error_line(error)}")
        return partial(job.runner.finish, outcome, seconds)

    def _bury(self, child: ProcessHandle, selector: selectors.BaseSelector) -> list[Callable[[], object]]:
        """Let go of a process that has ended, and of what it ran; the rest is for others."""
        child.has_closed = True
        child.listen(selector)
        self._children.remove(child)
        self._waiting.extendleft(reversed(child.take_back()))
        lost = [*child.jobs.values()]
        child.jobs.clear()
        child.close()
        how = child.how_it_ended()
        if self._is_killed or (child.is_leaving and not child.is_ready):
            return []
        if not child.is_ready:
            return self._fail(f"a worker process cannot start: {child.failure or how}")
        if not any(job.is_killed for job in lost) and (lost or not child.is_leaving):
            log.error("%s: %s", child.worker, how)
        ended: list[Callable[[], object]] = []
        for job in lost:
            if job.is_killed:
                job.is_killed = False
                self._waiting.appendleft(job)
            else:
                ended += [partial(job.runner.abandon, job.delivery, how), job.runner.has_run]
        return ended

    def _enforce(self, child: ProcessHandle) -> list[Callable[[], object]]:
        """Kill a process that takes too long, and take back what waits behind a slow command."""
        current, now = child.current(), time.monotonic()
        if not child.is_ready and not child.failure and now - child.started > self._settings.loads_within:
            child.fail(f"it has not loaded the application within {self._settings.loads_within:g} s")
        if current is None or now - current[1] <= STUCK:
            return []
        number = current[0]
        self._waiting.extendleft(reversed(child.take_back()))
        job, deadline = child.jobs[number], child.deadline()
        if job.error is None and deadline is not None and deadline + self._settings.timeout_grace <= now:
            job.error, job.kill_at = CommandTimeout, now
        if job.kill_at > now or not child.is_in_command():
            return []
        # It begins nothing else now, and if it had before, the outcome of this one has come.
        ended = self._read(child)
        if number in child.jobs:
            log.warning("killing the process of message %s, whose command was to end", job.delivery.message_id)
            job.is_killed, job.kill_at = True, float("inf")
            child.kill()
        return ended

    def _interrupt(self, child: ProcessHandle, number: int, error: type[CommandInterrupted]) -> None:
        job = child.jobs[number]
        if job.error is None:
            job.error = error
            job.kill_at = time.monotonic() + self._settings.timeout_grace
            child.interrupt(number, error)
            self._wakeup.wake()

    def _give(self) -> None:
        """Give each process what it is to run, and as much more as it is likely to get through soon."""
        for child, count in self._supply.portions(self._children, len(self._waiting)):
            child.give([(next(self._numbers), self._waiting.popleft()) for _ in range(count)])
            if child.given == self._settings.max_commands:
                log.info("%s is replaced, after %s", child.worker, counted(child.given, "command"))
                child.leave()

    def _is_any_ready(self) -> bool:
        return any(child.is_ready for child in self._children)

    def _hand_on(self) -> None:
        while (ended := self._ended.get()) is not None:
            for call in ended:
                try:
                    call()
                except Exception:
                    log.exception("the outcome of a delivery could not be handed on")

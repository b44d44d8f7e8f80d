"""A rehearsal: an application's commands in the memory of the test, without a server, a thread or a wait."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, Self

from huey_core.backends import DEFAULT_MAX_DELIVERIES
from huey_core.commands import CommandRegistry, default_registry
from huey_core.exceptions import PluginNotFound
from huey_core.invoker import Invoker
from huey_testing.clock import RehearsalClock, in_seconds
from huey_testing.driver import Driver, Run
from huey_testing.faults import Faults
from huey_testing.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from types import ModuleType, TracebackType

    from huey_core.backends import BaseQueue, LeasedQueue
    from huey_core.commands import QueueCommand
    from huey_memory import MemoryDataStore, MemoryQueue

__all__ = ["Rehearsal"]


class Rehearsal:
    """Queues and stores in a memory of their own, on a clock that the test moves.

    ::

        with Rehearsal() as rehearsal, rehearsal.redirect(application.invoker):
            application.sign_up("ann")
            rehearsal.recorder.assert_enqueued(application.send_mail, "ann")
            rehearsal.run_until_idle()

    Attributes:
        clock: The clock. It begins with the present.
        recorder: What was enqueued.
        faults: Makes calls of the queues and stores fail.
        invoker: An invoker of its own. It knows the commands of the process's default registry, and those that are
            decorated for it, which nobody else gets to know.

    Raises:
        PluginNotFound: huey-memory is not installed.
    """

    def __init__(self) -> None:
        self._memory = _memory()
        self._manual: Final = self._memory.ManualClock(float(int(time.time())))
        self._invokers: list[Invoker] = []
        self._watched: set[BaseQueue] = set()
        self._made_drivers: dict[BaseQueue, Driver] = {}
        self._open = ExitStack()
        self.clock: Final = RehearsalClock(self._manual, self._next_stop, self._stop)
        self.recorder: Final = Recorder()
        self.faults: Final = Faults()
        queue = self._queue("rehearsal")
        self.invoker: Final = Invoker(
            queue,
            self._store("rehearsal", "results"),
            self._store("rehearsal.state", "state"),
            registry=self._registry(),
            clock=self.clock.now,
        )
        self._watch(queue, self.invoker)
        self._invokers.append(self.invoker)

    @contextmanager
    def redirect(self, invoker: Invoker) -> Iterator[Invoker]:
        """Let an application's own invoker work in this memory until the end of the block.

        It keeps its settings, its commands and the names of its queue and stores, so that two invokers which share a
        queue still do. What it has no store for, it still has no store for. ``always_eager`` is off meanwhile.
        """
        max_deliveries = invoker.leased_queue.max_deliveries if invoker.leased_queue else DEFAULT_MAX_DELIVERIES
        queue = self._queue(invoker.queue.name, max_deliveries)
        results = invoker.result_store and self._store(invoker.result_store.name, "results")
        state = invoker.task_store and self._store(invoker.task_store.name, "state")
        always_eager = invoker.always_eager
        self._watch(queue, invoker)
        with invoker.replaced(queue, results, state, clock=self.clock.now):
            invoker.always_eager = False
            self._invokers.append(invoker)
            try:
                yield invoker
            finally:
                self._invokers.remove(invoker)
                invoker.always_eager = always_eager

    def run_until_idle(self, *, over: float | timedelta = 0.0, raises: bool = True, limit: int = 1000) -> list[Run]:
        """Run what is due, and what that enqueues, in this thread and one after another, until nothing is due.

        What an installed plugin does in the life of a consumer, such as ``huey_worker_start``, is not done.

        Args:
            over: Let so much time pass meanwhile, in seconds or as a timedelta, and run everything when it falls due.
            raises: Raise what a command raised that will not be tried again, at once; the rest stays in the queue.
                Otherwise errors are found in what is returned.
            limit: The most runs.

        Returns:
            The runs, in order.

        Raises:
            RuntimeError: There was still something due after ``limit`` runs.
        """
        end = self.clock.now() + in_seconds(over)
        runs: list[Run] = []
        while True:
            while run := next((run for driver in self._drivers() if (run := driver.run_next())), None):
                runs.append(run)
                if raises and run.failed and run.error is not None:
                    raise run.error
                if len(runs) == limit:
                    raise RuntimeError(
                        f"not idle after {limit:,} runs, the last that of {run.command!r}: a command that always "
                        "enqueues another one never lets it be; if there are so many, pass a higher limit="
                    )
            now = self.clock.now()
            if now >= end:
                return runs
            dues = [due for driver in self._drivers() for due in driver.dues() if due > now]
            self.clock.advance(min(self._next_stop(now), *dues, end) - now)

    def close(self) -> None:
        """Forget everything."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _queue(self, name: str, max_deliveries: int = DEFAULT_MAX_DELIVERIES) -> MemoryQueue:
        queue: MemoryQueue = self._memory.MemoryQueue(name, max_deliveries=max_deliveries, clock=self._manual)
        return queue

    def _store(self, name: str, prefix: str) -> MemoryDataStore:
        store: MemoryDataStore = self._memory.MemoryDataStore(name, clock=self._manual)
        self.faults.watch_store(store, prefix)
        return store

    def _registry(self) -> CommandRegistry:
        registry = CommandRegistry()

        def follow(command_class: type[QueueCommand]) -> None:
            registry.register(command_class, replace=True)

        known = default_registry.follow(follow)
        self._open.callback(default_registry.on_register.remove, follow)
        for command_class in known:
            follow(command_class)
        return registry

    def _watch(self, queue: LeasedQueue, invoker: Invoker) -> None:
        """Record what is written to a queue and let its methods fail on order, and the same for queues beside it."""
        make_sibling = queue.sibling

        def watched_sibling(name: str) -> LeasedQueue:
            sibling = make_sibling(name)
            self._watch(sibling, invoker)
            return sibling

        queue.sibling = watched_sibling  # type: ignore[method-assign]  # of this one object
        self.recorder.listen(queue, invoker.codec)
        self.faults.watch_queue(queue)
        self._watched.add(queue)

    def _drivers(self) -> list[Driver]:
        """What runs the commands of each queue of this memory that was used until now."""
        drivers = []
        for redirected in self._invokers:
            for invoker in (redirected, *redirected.siblings):
                queue = invoker.leased_queue
                if queue is not None and queue in self._watched:
                    drivers.append(self._driver(invoker, queue))
        return drivers

    def _driver(self, invoker: Invoker, queue: LeasedQueue) -> Driver:
        if queue not in self._made_drivers:
            self._made_drivers[queue] = Driver(invoker, queue)
        return self._made_drivers[queue]

    def _next_stop(self, now: float) -> float:
        drivers = self._drivers()
        stops = [stop for driver in drivers for stop in (now + driver.heartbeat, driver.next_ticks(now))]
        return min(stops, default=float("inf"))

    def _stop(self, now: float) -> None:
        for driver in self._drivers():
            driver.renew()
            driver.write_ticks(now)


def _memory() -> ModuleType:
    try:
        import huey_memory
    except ModuleNotFoundError as error:
        if error.name != "huey_memory":
            raise
        raise PluginNotFound("this needs huey-memory; install it with: pip install huey-memory") from error
    return huey_memory

"""Threads for the commands of an event loop that are not coroutine functions.

The executor of the standard library is not for them: the process would wait for its threads when it ends, and a command
that does not end would keep it from that.
"""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DaemonExecutor"]

P = ParamSpec("P")
T = TypeVar("T")


class DaemonExecutor(Executor):
    """Calls functions in daemon threads, each of which is started when all others are busy.

    Args:
        most: How many threads there may be.
        on_start: Called with the name of each thread, in it, before it does anything else.
        on_stop: The same at its end.
    """

    def __init__(self, most: int, on_start: Callable[[str], None], on_stop: Callable[[str], None]) -> None:
        self._most = most
        self._on_start = on_start
        self._on_stop = on_stop
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._unfinished = 0
        self._is_shut = False
        self.threads: list[threading.Thread] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call a function in a thread, at once if there is an idle one or there may be one more.

        Raises:
            RuntimeError: It was shut down, or there is no thread, and none can be started.
        """
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                self._has_finished()
                return
            try:
                value = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is raised where the future is waited for
                self._has_finished()
                future.set_exception(error)
            else:
                self._has_finished()
                future.set_result(value)

        with self._lock:
            if self._is_shut:
                raise RuntimeError("it was shut down")
            if self._unfinished >= len(self.threads) < self._most:
                self._start_thread()
            self._unfinished += 1
            self._calls.put(call)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Have each thread end behind what was submitted, and wait for that if told to."""
        with self._lock:
            self._is_shut = True
            for _ in self.threads:
                self._calls.put(None)
        if wait:
            for thread in self.threads:
                thread.join()

    def _start_thread(self) -> None:
        name = f"thread-{len(self.threads) + 1}"
        thread = threading.Thread(target=self._work, args=(name,), name=f"huey-{name}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self.threads:
                raise
            return
        self.threads.append(thread)

    def _work(self, name: str) -> None:
        self._on_start(name)
        while (call := self._calls.get()) is not None:
            call()
            # It would keep what it was called with until there is another one.
            del call
        self._on_stop(name)

    def _has_finished(self) -> None:
        # Before anybody can know it, so that whoever submits next finds an idle thread.
        with self._lock:
            self._unfinished -= 1

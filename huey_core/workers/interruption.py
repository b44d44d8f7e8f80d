"""How a command that runs is ended from outside: by its time limit, or because it is cancelled.

Python raises an exception in a thread at some later instruction of it, which may be any: one behind the command, one of
the very function that is to keep it from coming so late. What is written here holds because of three rules:

* At most one exception is raised in a run, so when it has come, no other one follows.
* :meth:`Interruption.leave` withdraws what has not come yet, and may be called again when it was itself interrupted.
* While one may come, the thread of the command takes no lock: interrupted just after it took one, it would keep it.
"""

from __future__ import annotations

import importlib
import threading
import time
from contextlib import suppress
from functools import cache, partial
from types import CoroutineType, ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from huey_core.exceptions import CommandInterrupted, CommandTimeout
from huey_core.safe_logging import get_logger
from huey_core.settings import ConsumerConfig
from huey_core.workers.watcher import watcher

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from huey_core.backends.messages import Delivery

__all__ = ["DEFAULT_GRACE", "Interruption", "NoInterruption", "TaskInterruption", "ThreadInterruption"]

log: Final = get_logger(__name__)

R = TypeVar("R")

DEFAULT_GRACE: Final = ConsumerConfig.timeout_grace
"""Seconds that an interrupted command has to end, before that it has not is logged."""

_NOTHING: Final[Any] = object()


class Interruption:
    """The way into commands that run one after another in one place: a worker's thread, or a task of an event loop.

    Whoever runs a command calls :meth:`enter` just before it and :meth:`leave` just after it, in its thread; or
    :meth:`call`, which does both around a function. All else may be called by any thread. This class interrupts a task,
    once it is told of one, and nothing else.

    Args:
        grace: Seconds that an interrupted command has to end; when it has not, that is logged.
    """

    def __init__(self, grace: float = DEFAULT_GRACE) -> None:
        self.grace = grace
        self._interrupting = threading.Lock()
        # Each of these is written by the command's thread alone, and each below by who interrupts; to write first and
        # to look then is what makes it safe without a lock.
        self._delivery: Delivery | None = None
        self._is_inside = False
        self._timeout = 0.0
        self._deadline: float | None = None
        self._task: asyncio.Task[Any] | None = None

        self._asked: tuple[Delivery, type[CommandInterrupted]] | None = None
        self._is_busy = False
        self._is_raised = False

    def enter(self, delivery: Delivery, timeout: float | None = None) -> None:
        """Note that a command begins, which may be interrupted from now on.

        Args:
            delivery: What it was delivered by.
            timeout: Seconds after which it is interrupted; ``None`` for no limit.

        Raises:
            CommandInterrupted: It was to be interrupted before it began.
            RuntimeError: The time limit cannot be watched, because no thread can be started.
        """
        self._delivery = delivery
        if timeout is not None:
            self._timeout = timeout
            self._deadline = time.monotonic() + timeout
            self.armed(self._deadline)
        self._is_inside = True
        if self._asked is not None:
            self._obey(delivery)

    def leave(self) -> None:
        """Note that the command has ended: it is interrupted no more. Does nothing when it was called before."""
        self._is_inside = False
        if self._asked is not None or self._deadline is not None:
            self._end()

    def call(self, delivery: Delivery, timeout: float | None, function: Callable[[], R]) -> R:
        """Call a function that may be interrupted, and nothing else; see :meth:`enter`.

        Returns:
            What it returned, also when it was to be interrupted a moment too late.

        Raises:
            CommandInterrupted: It was interrupted.
            BaseException: What it raised.
        """
        value = _NOTHING
        # A run before this one may have been that of a task.
        self._task = None
        try:
            try:
                self.enter(delivery, timeout)
                value = function()
            finally:
                self.leave()
        except CommandInterrupted as error:
            # It may have come within leave(). There is no second one that could come within this.
            self.leave()
            if value is _NOTHING:
                if not error.args:
                    error.args = (self._reason(type(error)),)
                raise
        return value  # type: ignore[no-any-return]

    async def call_async(self, delivery: Delivery, timeout: float | None, function: Callable[[], Any]) -> Any:
        """Do what :meth:`call` does in a task of an event loop; a coroutine that the function returns is awaited.

        Raises:
            CommandInterrupted: It was interrupted.
            RuntimeError: It was cancelled, and nobody has interrupted it.
            BaseException: What it raised.
        """
        # Before enter(), so that never this thread is interrupted, which has others to run.
        self.run_in(task := _this_task())
        try:
            self.enter(delivery, timeout)
            value = function()
            return await self._await(delivery, value, task) if isinstance(value, CoroutineType) else value
        except CommandInterrupted as error:
            if not error.args:
                error.args = (self._reason(type(error)),)
            raise
        finally:
            self.leave()
            # The task's context leads here: a cycle for each run would be left to the garbage collector.
            self._task = None

    async def _await(self, delivery: Delivery, coroutine: Awaitable[R], task: asyncio.Task[Any]) -> R:
        cancelled = _asyncio().CancelledError
        try:
            return await coroutine
        except cancelled as error:
            interrupted = self.error(delivery)
            # Not an Exception, and nobody but the command itself can have asked for it.
            raise interrupted or RuntimeError("the coroutine was cancelled") from error
        finally:
            # What goes on in this task was not cancelled.
            if task.cancelling():
                with suppress(cancelled):
                    # One that the command has asked for, and has not waited for, would come there.
                    await _asyncio().sleep(0)
                while task.cancelling():
                    task.uncancel()

    def interrupt(self, delivery: Delivery, error: type[CommandInterrupted]) -> bool:
        """Have an exception raised in the command of a delivery, if that runs or is about to.

        Args:
            delivery: The very object that :meth:`enter` is called with.
            error: What to raise. In a task it is ``CancelledError``, and :meth:`error` says what it stands for.

        Returns:
            Whether it is raised, be it when the command begins: a delivery that was not entered is taken for one that
            is to be. ``False`` when the command has just ended, or cannot be interrupted, or was before.
        """
        with self._interrupting:
            self._is_busy = True
            try:
                self._asked = delivery, error
                if self._delivery is not delivery:
                    return True
                return self._is_inside and not self._is_raised and self._raise_once(delivery, error)
            finally:
                self._is_busy = False

    def armed(self, deadline: float | None) -> None:
        """Called when a time limit begins that ends at ``deadline``, on the monotonic clock, and when it is over.

        For a subclass to extend, whose limits somebody else enforces as well.
        """
        if deadline is not None and (delivery := self._delivery) is not None:
            watcher().watch(self, deadline, partial(self._time_is_up, delivery))

    def run_in(self, task: asyncio.Task[Any]) -> None:
        """Interrupt a task from now on, in place of a thread, until :meth:`leave`."""
        self._task = task

    def error(self, delivery: Delivery) -> CommandInterrupted | None:
        """What the command of a delivery is to be interrupted with; ``None`` when nobody wants that."""
        asked = self._asked
        return None if asked is None or asked[0] is not delivery else asked[1](self._reason(asked[1]))

    def deadline(self, delivery: Delivery) -> float | None:
        """When the time limit of the command of a delivery ends, on the monotonic clock; ``None`` for never."""
        return self._deadline if self._delivery is delivery else None

    def _raise(self, error: type[CommandInterrupted]) -> bool:
        """Have it raised, and return whether that is possible. For a subclass to extend."""
        task = self._task
        if task is None:
            return False
        try:
            task.get_loop().call_soon_threadsafe(self._cancel, task)
        except RuntimeError:
            # The loop has ended, and the task with it.
            return False
        return True

    def _cancel(self, task: asyncio.Task[Any]) -> None:
        # What goes on in the task when the command has ended is not the command's.
        if self._is_inside and self._task is task:
            task.cancel()

    def _withdraw(self) -> None:
        """Keep what was raised, and has not come yet, from coming. For a subclass to extend."""

    def _raise_once(self, delivery: Delivery, error: type[CommandInterrupted]) -> bool:
        self._is_raised = self._raise(error)
        if self._is_raised:
            late = partial(self._note_late, delivery, error)
            watcher().watch(self, time.monotonic() + self.grace, late)
        return self._is_raised

    def _obey(self, delivery: Delivery) -> None:
        while self._is_busy:
            time.sleep(0)
        asked = self._asked
        if asked is not None and asked[0] is delivery and not self._is_raised:
            raise asked[1]

    def _end(self) -> None:
        while self._is_busy:
            time.sleep(0)
        if self._is_raised:
            self._withdraw()
            self._is_raised = False
        self._task = None
        # Nothing comes any more.
        if self._deadline is not None:
            self._deadline = None
            self.armed(None)
        watcher().forget(self)
        with self._interrupting:
            # Kept until the next run has ended: who was started by this one may still ask.
            if self._asked is not None and self._asked[0] is not self._delivery:
                self._asked = None

    def _time_is_up(self, delivery: Delivery) -> None:
        # What has ended since would be taken for what is about to run, if another one runs there now.
        if self._delivery is delivery and self.error(delivery) is None:
            self.interrupt(delivery, CommandTimeout)

    def _reason(self, error: type[CommandInterrupted]) -> str:
        if issubclass(error, CommandTimeout):
            return f"it ran for longer than its timeout of {self._timeout:g} s"
        return "it was cancelled while it ran" if error is CommandInterrupted else "its message is another delivery's"

    def _note_late(self, delivery: Delivery, error: type[CommandInterrupted]) -> None:
        if self._delivery is delivery and self._is_inside:
            log.warning(
                "message %s was interrupted by %s %g s ago and has not ended: it catches that, or is in a call that is "
                "not Python's own, such as a sleep or a wait for a socket, and can only be interrupted after it",
                *(delivery.message_id, error.__name__, self.grace),
            )


class NoInterruption(Interruption):
    """Knows of the limits of commands that cannot be interrupted, so that they may ask themselves."""

    def armed(self, deadline: float | None) -> None:
        """Do nothing: nobody could."""


class ThreadInterruption(Interruption):
    """Raises exceptions in a thread, and where that runs a coroutine, cancels its task.

    Python raises one when the thread next runs Python code: after a call of C code, such as a sleep or a wait for a
    lock or a socket, has returned.

    Args:
        grace: As for :class:`Interruption`.
        thread: The thread's identifier; ``None`` for the calling one.
    """

    def __init__(self, grace: float = DEFAULT_GRACE, thread: int | None = None) -> None:
        super().__init__(grace)
        self._thread: int | None = threading.get_ident() if thread is None else thread

    def _raise(self, error: type[CommandInterrupted]) -> bool:
        thread = self._thread
        if thread is None or self._task is not None:
            return super()._raise(error)
        return _set_exception(thread, error)

    def _withdraw(self) -> None:
        if self._thread is not None:
            _set_exception(self._thread, None)


class TaskInterruption(ThreadInterruption):
    """Cancels the task that runs a command; of one that is no coroutine function, it interrupts the thread.

    Args:
        grace: As for :class:`Interruption`.
    """

    def enter(self, delivery: Delivery, timeout: float | None = None) -> None:
        """Note that a command begins in this task, or in this thread."""
        self._thread = threading.get_ident() if self._task is None else None
        super().enter(delivery, timeout)


@cache
def _asyncio() -> ModuleType:
    # Most programs never need it, and it takes longer to import than all of this package.
    return importlib.import_module("asyncio")


def _this_task() -> asyncio.Task[Any]:
    task: asyncio.Task[Any] | None = _asyncio().current_task()
    if task is None:
        raise RuntimeError("no task runs here")
    return task


def _set_exception(thread: int, error: type[CommandInterrupted] | None) -> bool:
    # Few programs ever need it.
    import ctypes

    exception = None if error is None else ctypes.py_object(error)
    return bool(ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), exception))

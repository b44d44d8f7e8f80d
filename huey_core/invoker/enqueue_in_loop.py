"""Enqueueing from an event loop, which is never kept waiting: neither for a server, nor for plugins, nor for encoding.

All of that is done in a thread of the loop's executor, for one write at a time. What is enqueued meanwhile waits, and
is the next write together. So however many tasks enqueue, they take one thread and few round trips, and each of them
gets its own result or its own error.
"""

from __future__ import annotations

import time
from collections import deque
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from huey_core import hookspecs
from huey_core.exceptions import MessageTooLarge, QueueWriteException
from huey_core.hookspecs import InvokerLike
from huey_core.invoker.results import AsyncData

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from huey_core.backends.leased import LeasedQueue
    from huey_core.backends.messages import Message, Written
    from huey_core.commands.base import QueueCommand
    from huey_core.plugins.manager import PluginManager

__all__ = ["LoopSenders", "WritingInvoker"]

COMMANDS_TOGETHER: Final = 500
"""The most commands of several callers that are written together."""

BYTES_TOGETHER: Final = 4 * 2**20
"""The bytes of messages after which a write takes no more of them."""

COMMANDS_IN_A_ROW: Final = 50
"""The commands that are encoded between two pauses, which takes about a millisecond."""

PAUSE: Final = 50e-6
"""Seconds for which an encoding thread lets go of Python's lock, for which the loop would otherwise wait 5 ms.

Without a sleep the thread would have it back before another one wakes up.
"""


class WritingInvoker(InvokerLike, Protocol):
    """What is needed of an invoker to enqueue with it."""

    @property
    def plugins(self) -> PluginManager:
        """Its hooks."""

    @property
    def leased_queue(self) -> LeasedQueue | None:
        """Its queue, if that delivers under leases."""

    def on_queue(self, name: str) -> WritingInvoker:
        """The invoker of another queue at the same place; of the name of its own queue itself."""

    def enqueue_many(self, commands: Iterable[Any]) -> list[Any]:
        """Do all of it, for one caller, in the calling thread."""

    def prepare(self, commands: Sequence[QueueCommand]) -> list[Message]:
        """Ask the plugins, and encode."""

    def write_here(self, messages: Sequence[Message]) -> list[Written]:
        """Write messages to its own queue, and tell no plugin."""


class _Call:
    """What one caller enqueues at once, and what has come of it.

    Args:
        invoker: The invoker that it is enqueued with.
        commands: The commands.
        ended: Is done when it is written, or cannot be.
    """

    def __init__(self, invoker: WritingInvoker, commands: Sequence[QueueCommand], ended: asyncio.Future[None]) -> None:
        self.ended = ended
        self.commands = commands
        self.messages: list[Message] = []
        self._invoker = invoker
        self._context = copy_context()
        self._handles: list[Any] = [None] * len(commands)
        self._error: BaseException | None = None
        self._traceback: TracebackType | None = None

    @property
    def has_failed(self) -> bool:
        return self._error is not None

    def fail(self, error: BaseException) -> None:
        """Let its caller get an error, which others may get as well."""
        if self._error is None:
            self._error, self._traceback = error, error.__traceback__

    def prepare(self) -> bool:
        """Ask the plugins and encode, and say whether it can be written."""
        try:
            for begin in range(0, len(self.commands), COMMANDS_IN_A_ROW):
                if begin:
                    time.sleep(PAUSE)
                row = self.commands[begin : begin + COMMANDS_IN_A_ROW]
                self.messages += self._context.run(self._invoker.prepare, row)
        except BaseException as error:  # noqa: BLE001 - its caller gets it, whatever it is
            self.fail(error)
        return not self.has_failed

    def home(self, place: int) -> WritingInvoker:
        """The invoker of the queue of one of its messages."""
        return self._invoker.on_queue(self.messages[place].queue or self._invoker.queue.name)

    def note(self, home: WritingInvoker, place: int, written: Written) -> None:
        """Note that one of its messages is in its queue, and tell the plugins."""
        command = self.commands[place]
        if self._invoker.result_store is not None:
            self._handles[place] = AsyncData(home, written.message_id, seen_at=command.enqueued_at)
        if written.created and home.plugins.has(hookspecs.huey_after_enqueue):
            notify = partial(home.plugins.notify, hookspecs.huey_after_enqueue, invoker=home, command=command)
            self._context.run(notify)

    def handles(self) -> list[Any]:
        """What its caller gets.

        Raises:
            BaseException: What has kept it from being written.
        """
        if self._error is not None:
            # Each raise adds to the traceback of an error, and this one may be raised by hundreds of callers.
            raise self._error.with_traceback(self._traceback)
        return self._handles


_Part = tuple[_Call, int]
"""One message of a call, by its place."""


class LoopSenders:
    """Enqueues for the tasks of any number of event loops, each of which is served by itself."""

    def __init__(self) -> None:
        # Of a loop that has nothing to write there is nothing here.
        self._busy: dict[asyncio.AbstractEventLoop, _LoopSender] = {}

    async def enqueue(self, invoker: WritingInvoker, commands: Sequence[QueueCommand]) -> list[Any]:
        """Enqueue commands, together with what other tasks of this event loop enqueue at the time.

        More of them than a write takes are written by themselves, so that nobody waits behind them.

        Returns:
            A handle for each command; ``None`` for each without a result store.

        Raises:
            Exception: What :meth:`Invoker.enqueue` raises. Nothing of it concerns other callers, but for an error of
                the server, which every caller gets whose commands were in that write.
        """
        import asyncio

        loop = asyncio.get_running_loop()
        call = _Call(invoker, commands, loop.create_future())
        if len(commands) > COMMANDS_TOGETHER:
            await loop.run_in_executor(None, _send, [call])
            return call.handles()
        sender = self._busy.get(loop)
        if sender is None:
            self._forget_closed()
            sender = self._busy[loop] = _LoopSender(loop, lambda: self._busy.pop(loop, None))
        sender.add(call)
        await call.ended
        return call.handles()

    def _forget_closed(self) -> None:
        """Let go of loops that were closed while something was being written."""
        for loop in [loop for loop in list(self._busy) if loop.is_closed()]:
            self._busy.pop(loop, None)


class _LoopSender:
    """Has threads write what tasks of one event loop enqueue, one write at a time, until there is nothing left.

    Args:
        loop: The loop, in whose thread all of this is called.
        on_idle: Called when nothing waits any more.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_idle: Callable[[], object]) -> None:
        self._loop = loop
        self._on_idle = on_idle
        self._waiting: deque[_Call] = deque()
        # What a callback is not given a context for would keep that of the first caller alive.
        self._context = Context()
        # Not at once: what is enqueued in the same turn of the loop is to be in the first write.
        loop.call_soon(self._begin, context=self._context)

    def add(self, call: _Call) -> None:
        """Have a call written, after those that wait already."""
        self._waiting.append(call)

    def _begin(self) -> None:
        calls = self._take()
        if not calls:
            self._on_idle()
            return
        try:
            writing = self._loop.run_in_executor(None, _send, calls)
        except RuntimeError as error:
            # The loop is about to end, and has no threads any more.
            self._end([*calls, *self._waiting], error)
            self._on_idle()
            return
        writing.add_done_callback(partial(self._go_on, calls), context=self._context)

    def _go_on(self, calls: Sequence[_Call], writing: asyncio.Future[None]) -> None:
        if writing.cancelled():
            error: BaseException | None = QueueWriteException("the event loop is ending, and has given its threads up")
        else:
            error = writing.exception()
        self._end(calls, error)
        self._begin()

    def _take(self) -> list[_Call]:
        """The calls of the next write, without those whose callers do not wait any more."""
        calls: list[_Call] = []
        commands = 0
        while self._waiting and commands < COMMANDS_TOGETHER:
            call = self._waiting.popleft()
            if not call.ended.cancelled():
                calls.append(call)
                commands += len(call.commands)
        return calls

    @staticmethod
    def _end(calls: Iterable[_Call], error: BaseException | None) -> None:
        for call in calls:
            if error is not None:
                call.fail(error)
            if not call.ended.done():
                call.ended.set_result(None)


def _send(calls: Sequence[_Call]) -> None:
    """Write calls, in as few writes as their size allows; called in a thread."""
    together: list[_Call] = []
    size = 0
    for number, call in enumerate(calls):
        if number and number % COMMANDS_IN_A_ROW == 0:
            time.sleep(PAUSE)
        if call.prepare():
            together.append(call)
            size += sum(len(message.data) for message in call.messages)
        if size >= BYTES_TOGETHER:
            _write(together)
            together, size = [], 0
    _write(together)


def _write(calls: Sequence[_Call]) -> None:
    """Write prepared calls, those of each queue together."""
    parts: dict[WritingInvoker, list[_Part]] = {}
    for call in calls:
        for place in range(len(call.messages)):
            parts.setdefault(call.home(place), []).append((call, place))
    for home, of_queue in parts.items():
        _write_to(home, [part for part in of_queue if not part[0].has_failed])


def _write_to(home: WritingInvoker, parts: Sequence[_Part]) -> None:
    """Write messages of one queue, so that each call gets the errors that are its own."""
    calls = list(dict.fromkeys(call for call, _ in parts))
    if len(calls) > 1 and home.leased_queue is None:
        # It takes one message at a time, and nobody could tell of a message whether it was written before the error.
        _write_apart(home, parts, [[call] for call in calls])
        return
    try:
        written = list(zip(parts, home.write_here([call.messages[place] for call, place in parts]), strict=True))
    except MessageTooLarge as error:
        # Nothing is written then. Whose message it is, halves find out.
        if len(calls) == 1:
            calls[0].fail(error)
        else:
            middle = len(calls) // 2
            _write_apart(home, parts, [calls[:middle], calls[middle:]])
    except BaseException as error:  # noqa: BLE001 - the callers get it, whatever it is
        for call in calls:
            call.fail(error)
    else:
        for (call, place), one in written:
            call.note(home, place, one)


def _write_apart(home: WritingInvoker, parts: Sequence[_Part], groups: Iterable[Sequence[_Call]]) -> None:
    for group in groups:
        theirs = set(group)
        _write_to(home, [part for part in parts if part[0] in theirs])

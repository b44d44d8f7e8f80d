"""Names in the log what keeps an event loop from running anything else."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from huey_core.commands.context import CURRENT, log_fields
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from huey_core.backends.messages import Delivery
    from huey_core.workers.base import Run

__all__ = ["LoopWatchdog"]

log: Final = get_logger(__name__)

LOOKS: Final = 4
"""How often it is looked in the time after which a loop counts as blocked."""

SHOWN_FRAMES: Final = 5
"""The most calls that the log names, the innermost ones."""


class LoopWatchdog(threading.Thread):
    """Asks an event loop again and again to answer.

    Args:
        loop: The event loop.
        loop_thread: The identifier of its thread.
        blocked_after: Seconds without an answer after which that is logged, once for each time.
        run_of: Finds what a task runs.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        loop_thread: int,
        blocked_after: float,
        run_of: Callable[[asyncio.Task[Any]], Run | None],
    ) -> None:
        super().__init__(name="huey-loop-watchdog", daemon=True)
        self._loop = loop
        self._loop_thread = loop_thread
        self._blocked_after = blocked_after
        self._run_of = run_of
        self._answered = threading.Event()
        self._ending = threading.Event()

    def run(self) -> None:
        """Watch until told to stop, or until the loop is closed."""
        pause = self._blocked_after / LOOKS
        while not self._ending.wait(pause):
            self._answered.clear()
            asked = time.monotonic()
            try:
                self._loop.call_soon_threadsafe(self._answered.set)
            except RuntimeError:
                return
            if self._answered.wait(self._blocked_after) or self._ending.is_set():
                continue
            self._name_what_blocks()
            self._answered.wait()
            log.info("the event loop goes on after %.1f s", time.monotonic() - asked)

    def stop(self) -> None:
        """End soon."""
        self._ending.set()
        self._answered.set()

    def _name_what_blocks(self) -> None:
        task = asyncio.current_task(self._loop)
        delivery, queue_name = self._delivery_of(task)
        fields = {} if delivery is None else log_fields(queue_name, delivery)
        what = "something that is no task" if task is None else f"a task ({task.get_name()})"
        if delivery is not None:
            what = f"<{fields.get('command', 'a command')} {delivery.message_id}>"
        log.warning(
            "%s has kept the event loop for more than %g s, and no other command runs there meanwhile; use asyncio for "
            "what it waits for, asyncio.to_thread() for what it computes, or make it a command that is not async: %s",
            *(what, self._blocked_after, self._where()),
            extra=fields,
        )

    def _delivery_of(self, task: asyncio.Task[Any] | None) -> tuple[Delivery | None, str]:
        if task is None:
            return None, ""
        if sys.version_info >= (3, 12) and (current := task.get_context().get(CURRENT)) is not None:
            # Also of a task that a command has made.
            return current[1], current[2].queue.name
        run = self._run_of(task)
        return (None, "") if run is None else (run.delivery, run.runner.queue_name)

    def _where(self) -> str:
        """The calls that the loop's thread is in, as one line, from outside in; without those of core."""
        frame: FrameType | None = sys._current_frames().get(self._loop_thread)
        calls: list[str] = []
        while frame is not None and len(calls) < SHOWN_FRAMES:
            code = frame.f_code
            if calls and str(frame.f_globals.get("__name__")).startswith("huey_core."):
                break
            calls.append(f"{code.co_filename}:{frame.f_lineno} in {code.co_name}")
            frame = frame.f_back
        return " > ".join(reversed(calls)) or "nobody knows where"

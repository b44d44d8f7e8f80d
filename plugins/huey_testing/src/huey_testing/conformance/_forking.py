"""Children that a test forks, as web servers and worker processes do, and their reports of what they saw."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import select
import signal
import time
import traceback
import warnings
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Child"]


class Child:
    """A fork of this process, with all that it holds, that makes one call and ends.

    Used in a ``with`` block, at the end of which it is killed, by its own id, if it is still there.

    Args:
        call: Called in the child. What it returns must be JSON.
        announced: Whether what is registered with :func:`os.register_at_fork` is called. A server in C that has loaded
            the application forks without a word to Python. In such a child the interpreter itself may hang, in the
            condition variable of its lock, on which threads waited that no longer are; no backend answers for that, so
            it is Python that forks here in any case.
    """

    def __init__(self, call: Callable[[], Any], *, announced: bool = True) -> None:
        self._reads, writes = os.pipe()
        with warnings.catch_warnings():
            # That other threads run at a fork is what a server does to us, and what is tested here.
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            self._pid = os.fork() if announced else _fork_unannounced()
        if self._pid == 0:
            _be_the_child(call, writes)
        os.close(writes)

    def result(self, seconds: float) -> Any:
        """Wait until the child has ended, and return what its call returned.

        Raises:
            AssertionError: The call raised, with the child's traceback, or it took longer than that.
        """
        end = time.monotonic() + seconds
        told = bytearray()
        while True:
            if not select.select([self._reads], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError(f"a forked child did not end within {seconds:g} s; it is here:\n{self._where()}")
            part = os.read(self._reads, 65536)
            if not part:
                break
            told += part
        answer = json.loads(told or b"{}")
        if "value" not in answer:
            raise AssertionError(f"in a forked child:\n{answer.get('error', 'it died without a word')}")
        return answer["value"]

    def _where(self) -> str:
        """Return the traceback of a child that hangs, which it prints even when no thread of it can go on."""
        os.kill(self._pid, signal.SIGUSR2)
        told = bytearray()
        while select.select([self._reads], [], [], 1.0)[0] and (part := os.read(self._reads, 65536)):
            told += part
        return told.decode(errors="replace") or "(it does not say)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        os.close(self._reads)
        # Not waited for yet, so the id is still the child's own, even if it has ended.
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def _nothing() -> None:
    """Mark the lists to which :func:`os.register_at_fork` adds what Python calls around a fork."""


if hasattr(os, "register_at_fork"):  # Windows has no forks.
    os.register_at_fork(before=_nothing, after_in_parent=_nothing, after_in_child=_nothing)
_called_around_forks: Final = [each for each in gc.get_referrers(_nothing) if isinstance(each, list)]


def _fork_unannounced() -> int:
    """Fork, and call nothing of what wanted to be called before and after."""
    registered = [each.copy() for each in _called_around_forks]
    for each in _called_around_forks:
        each.clear()
    try:
        return os.fork()
    finally:
        for each, calls in zip(_called_around_forks, registered, strict=True):
            each[:0] = calls


def _be_the_child(call: Callable[[], Any], writes: int) -> NoReturn:
    # Nothing of the parent's test run may go on here: no fixture, no report, no handler for the end of the process.
    try:
        faulthandler.register(signal.SIGUSR2, file=writes)
        try:
            answer = {"value": call()}
            told = json.dumps(answer).encode()
        except BaseException:  # noqa: BLE001 - told to the parent, which raises it
            told = json.dumps({"error": traceback.format_exc()}).encode()
        with open(writes, "wb") as pipe:
            pipe.write(told)
    finally:
        os._exit(0)

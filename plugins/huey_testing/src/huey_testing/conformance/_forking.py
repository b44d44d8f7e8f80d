"""Children that a test forks, as web servers and worker processes do, and their reports of what they saw."""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import select
import signal
import time
import traceback
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Child", "in_a_child", "in_a_child_forked_in_c"]

_ATTEMPTS: Final = 3


class Child:
    """A fork of this process, with all that it holds, that makes one call and ends.

    Used in a ``with`` block, at the end of which it is killed, by its own id, if it is still there.

    Args:
        call: Called in the child. What it returns must be JSON.
        in_c: Whether to fork as a server in C does that has loaded the application: without a word to Python.
    """

    def __init__(self, call: Callable[[], Any], *, in_c: bool = False) -> None:
        self._reads, writes = os.pipe()
        with warnings.catch_warnings():
            # That other threads run at a fork is what a server does to us, and what is tested here.
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            # With the interpreter's lock held, as such a server holds it.
            self._pid = ctypes.PyDLL(None).fork() if in_c else os.fork()
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


def in_a_child(call: Callable[[int], Any], seconds: float, *, in_c: bool = False) -> Any:
    """Make a call in a child of this process, and return what it returned.

    A fork beside other threads can harm what no backend answers for: a lock in a library, which a thread held, is never
    released in the child, and when forked in C the interpreter itself may hang. So up to three children are forked, and
    it is enough that one of them returns.

    Args:
        call: Called in each child with the number of the attempt. What it returns must be JSON.
        seconds: How long each child has.
        in_c: As for :class:`Child`.

    Raises:
        AssertionError: The call raised in the last child, with its traceback, or it took longer than that.
    """
    for attempt in range(_ATTEMPTS):
        with Child(partial(call, attempt), in_c=in_c) as child:
            try:
                return child.result(seconds)
            except AssertionError:
                if attempt == _ATTEMPTS - 1:
                    raise
    return None


def in_a_child_forked_in_c(call: Callable[[int], Any], seconds: float) -> Any:
    """Call :func:`in_a_child` with a fork that Python does not see."""
    return in_a_child(call, seconds, in_c=True)


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

"""What a process that forks must not share with its parent: connections, locks, threads.

A backend whose messages outlive the process must work in the parent and in the child of a fork. Python announces its
own forks only: a server in C that loads the application and then forks, as uWSGI does, announces none. What belongs to
one process is kept in a :class:`PerProcess`, which looks at the process id each time it is asked. :class:`ForkAware` is
for what has to be done before a fork, and cannot be relied upon alone.
"""

from __future__ import annotations

import os
import random
import threading
import weakref
from os import getpid
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ForkAware", "PerProcess", "ProcessLock", "randomness"]

T = TypeVar("T")

_making: dict[int, threading.RLock] = {}
_left_behind: Final[list[Any]] = []


class PerProcess(Generic[T]):
    """Something of which each process has its own. Calling this returns the one of the process that calls.

    It is made when it is first asked for, in the parent as in the child of a fork, and once for all threads. Ask for it
    once for each step, and not for a part of a step.

    Args:
        make: Makes it.
        leave: Called in a child, before it makes its own, with what its parent had. By default that is kept as it is
            and never looked at again, because the destructors of many drivers say goodbye to the server, over the
            parent's connection. What it raises is raised by the call, and by the next, which tries again.
    """

    __slots__ = ("_leave", "_made", "_make")

    def __init__(self, make: Callable[[], T], leave: Callable[[T], object] = _left_behind.append) -> None:
        self._make = make
        self._leave = leave
        self._made: dict[int, T] = {}

    def __call__(self) -> T:
        """Return what this process has."""
        try:
            return self._made[getpid()]
        except KeyError:
            pass
        return self._begin()

    def if_made(self) -> T | None:
        """Return what this process has, or ``None`` when it has not asked for it yet."""
        return self._made.get(getpid())

    def _begin(self) -> T:
        process = getpid()
        # A lock that another thread held at the fork is never given back in the child. So the lock is of this process
        # too; to get it, or to put it there, is one step.
        with _making.setdefault(process, threading.RLock()):
            if process not in self._made:
                for of_the_parent in self._made.values():
                    self._leave(of_the_parent)
                self._made = {process: self._make()}
            return self._made[process]


class ProcessLock(PerProcess[threading.Lock]):
    """A lock, to be used in ``with`` blocks, that is free in a child whatever the threads of its parent held."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(threading.Lock)

    def __enter__(self) -> None:
        self().acquire()

    def __exit__(self, *_: object) -> None:
        self().release()


randomness: Final = PerProcess(random.Random)
"""Random numbers that are no secret and differ between a process and its children, so that they do not act in step."""


class ForkAware:
    """Something that is told of a fork when Python makes it. The thread that forks calls these methods.

    A fork that Python does not see calls none of them, and one that it learns of late calls the child's alone.
    """

    def __init__(self) -> None:
        with _lock:
            _living.add(self)

    def before_fork(self) -> None:
        """Get ready for two processes that go on from here."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Go on without the other threads of the parent, and without the locks that they may have held."""


_living: weakref.WeakSet[ForkAware] = weakref.WeakSet()
_lock: Final = ProcessLock()
_told: list[ForkAware] = []


def _before_fork() -> None:
    # The lock is held until the fork is over, so that the parent tells those who were told before, and no others.
    _lock().acquire()
    _told.extend(_living)
    for instance in _told:
        instance.before_fork()


def _after_fork_in_parent() -> None:
    for instance in _told:
        instance.after_fork_in_parent()
    _told.clear()
    _lock().release()


def _after_fork_in_child() -> None:
    for instance in _told:
        instance.after_fork_in_child()
    _told.clear()


if hasattr(os, "register_at_fork"):  # Windows has no forks.
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)

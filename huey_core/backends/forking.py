"""Objects that hold connections, locks or threads, and are told when the process forks.

A backend whose messages outlive the process must work in the parent and in the child of a fork, although neither a
connection nor a lock may be shared by the two. It derives from one of these classes whatever holds such a thing.
"""

from __future__ import annotations

import os
import threading
import weakref
from abc import ABC, abstractmethod

__all__ = ["ForkAware", "PerProcess"]

_living: weakref.WeakSet[ForkAware] = weakref.WeakSet()
_lock = threading.Lock()
_told: list[ForkAware] = []


class ForkAware:
    """Something whose state belongs to one process. The thread that forks calls these methods."""

    def __init__(self) -> None:
        with _lock:
            _living.add(self)

    def before_fork(self) -> None:
        """Get ready for two processes that go on from here."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Go on without the other threads of the parent, and without the locks that they may have held."""


class PerProcess(ForkAware, ABC):
    """Something that the child of a fork begins anew. A constructor calls this one's when it has what that needs."""

    def __init__(self) -> None:
        self.start_anew()
        super().__init__()

    @abstractmethod
    def start_anew(self) -> None:
        """Set up the state of this process, and leave that of the parent alone: it is still in use there."""

    def after_fork_in_child(self) -> None:
        """Begin anew."""
        self.start_anew()


def _before_fork() -> None:
    # The lock is held until the fork is over, so that parent and child tell those who were told before, and no others.
    _lock.acquire()
    _told.extend(_living)
    for instance in _told:
        instance.before_fork()


def _after_fork_in_parent() -> None:
    for instance in _told:
        instance.after_fork_in_parent()
    _told.clear()
    _lock.release()


def _after_fork_in_child() -> None:
    for instance in _told:
        instance.after_fork_in_child()
    _told.clear()
    _lock.release()


if hasattr(os, "register_at_fork"):  # Windows has no forks.
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)

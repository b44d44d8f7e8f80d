"""Objects that hold sockets, locks or threads, and start anew in the child of a fork."""

from __future__ import annotations

import os
import weakref
from abc import ABC, abstractmethod

__all__ = ["ForkAware"]

_living: weakref.WeakSet[ForkAware] = weakref.WeakSet()


class ForkAware(ABC):
    """Something whose state belongs to one process."""

    def __init__(self) -> None:
        self._start_anew()
        _living.add(self)

    @abstractmethod
    def _start_anew(self) -> None:
        """Set up the state of this process, and leave that of the parent alone: it is still in use there."""


def _after_fork_in_child() -> None:
    for instance in list(_living):
        instance._start_anew()


os.register_at_fork(after_in_child=_after_fork_in_child)

"""Where an invoker works: its queue and stores, its clock, and the invokers of other queues at the same place."""

from __future__ import annotations

import time
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from huey_core.backends.capabilities import Capability
from huey_core.backends.forking import ProcessLock
from huey_core.backends.leased import LeasedQueue
from huey_core.backends.queue_names import check_queue_name
from huey_core.exceptions import ConfigurationError, Unsupported
from huey_core.features.revocation import Revocations, keeps_revocations
from huey_core.invoker.arguments import plugin_of
from huey_core.invoker.eager import EagerGroups
from huey_core.invoker.enqueue_in_loop import LoopSenders
from huey_core.invoker.opened import OpenedBackends, Parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from huey_core.backends.backend import Backend
    from huey_core.backends.base import BaseDataStore, BaseQueue

__all__ = ["PlacedInvoker"]

_COMPUTED: Final = ("leased_queue", "results_expire", "revocations", "schedules")
"""What is computed once of the queue and its stores."""


@dataclass(slots=True)
class _Shared:
    """What the invokers of several queues have in common and what may change.

    Attributes:
        always_eager: Whether commands run at once in the caller.
        clock: The time in seconds since the epoch; ``None`` for that of this process.
        clock_offset: Seconds by which the queue's clock is ahead of this process's.
        eager_groups: The groups of commands that are run at once.
        loop_senders: What enqueues for the tasks of event loops.
    """

    always_eager: bool
    clock: Callable[[], float] | None
    clock_offset: float = 0.0
    eager_groups: EagerGroups = field(default_factory=EagerGroups)
    loop_senders: LoopSenders = field(default_factory=LoopSenders)


class PlacedInvoker:
    """What an :class:`~huey_core.Invoker` is beside what it does: one of those of several queues at one place.

    Args:
        opened: The backends that it opened from URLs.
        parts: Its queue and its stores.
        always_eager: Whether commands run at once in the caller.
        clock: The time in seconds since the epoch; ``None`` for that of this process.

    Attributes:
        queue: The queue.
        result_store: The result store; ``None`` for no results.
        task_store: The store for the state of consumers; ``None`` for none.
    """

    queue: BaseQueue
    result_store: BaseDataStore | None
    task_store: BaseDataStore | None

    def __init__(
        self, opened: OpenedBackends, parts: Parts, always_eager: bool, clock: Callable[[], float] | None
    ) -> None:
        self._opened = opened
        self._main: Self | None = None
        self._others: dict[str, Self] = {}
        self._others_lock = ProcessLock()
        self._shared = _Shared(always_eager, clock)
        self._move_to(parts)

    def on_queue(self, name: str) -> Self:
        """The invoker of another queue at the same place: what this is with ``queue=`` of its name.

        It has a queue, a result store and a task store of its own, and shares all else with this one: connections,
        commands, plugins, serializer and settings. With URLs, queue and stores are those that the URLs name with
        ``queue=NAME``, and a store of which the URL does not name the queue, or says ``results=``, is one for all
        queues. Of objects, the queue is the :meth:`sibling <huey_core.backends.BaseQueue.sibling>` of that object, and
        the stores are one for all.

        Args:
            name: The queue's name.

        Returns:
            The invoker, always the same one for a name; this one itself for the name of its queue. With
            ``always_eager``, which writes to no queue, it is this one too.

        Raises:
            ConfigurationError: No queue can be called so.
        """
        main = self._main or self
        if name == self.queue.name or self._shared.always_eager:
            return self
        if name == main.queue.name:
            return main
        return main._others.get(name) or main._make_other(name)

    @property
    def siblings(self) -> list[Self]:
        """The invokers of other queues that :meth:`on_queue` was asked for until now."""
        main = self._main or self
        return [each for each in (main, *main._others.values()) if each is not self]

    def _make_other(self, name: str) -> Self:
        check_queue_name("the name of a queue", name)
        with self._others_lock:
            if name not in self._others:
                other = copy(self)
                other._main, other._others = self, {}
                other._move_to(self._parts.beside(name))
                self._others[name] = other
            return self._others[name]

    def _move_to(self, parts: Parts) -> None:
        """Work with this queue and these stores from now on, and the invokers of other queues with those beside."""
        for name in _COMPUTED:
            vars(self).pop(name, None)
        self._parts = parts
        self.queue = parts.queue
        self.result_store = parts.result_store
        self.task_store = parts.task_store
        for name, other in self._others.items():
            other._move_to(parts.beside(name))

    @property
    def default_queue(self) -> str:
        """The name of the queue of commands that name none: that of the invoker by which this one was made."""
        return (self._main or self).queue.name

    @property
    def always_eager(self) -> bool:
        """Whether every command is run at once in the caller."""
        return self._shared.always_eager

    @always_eager.setter
    def always_eager(self, value: bool) -> None:
        self._shared.always_eager = value

    @property
    def clock_offset(self) -> float:
        """Seconds by which the queue's clock is ahead of this process's."""
        return self._shared.clock_offset

    @clock_offset.setter
    def clock_offset(self, value: float) -> None:
        self._shared.clock_offset = value

    @property
    def eager_groups(self) -> EagerGroups:
        """The groups of commands that are run at once, with ``always_eager``."""
        return self._shared.eager_groups

    @property
    def backends(self) -> list[Backend]:
        """The backends that this invoker opened from URLs."""
        return self._opened.all()

    @cached_property
    def leased_queue(self) -> LeasedQueue | None:
        """The queue, if it delivers under leases; ``None`` for a plain one."""
        return self.queue if isinstance(self.queue, LeasedQueue) else None

    @property
    def results(self) -> BaseDataStore:
        """The result store.

        Raises:
            ConfigurationError: There is none.
        """
        if self.result_store is None:
            raise ConfigurationError("this invoker has no result store; give it one with result_store=...")
        return self.result_store

    @cached_property
    def results_expire(self) -> bool:
        """Whether the result store forgets values by itself."""
        return self.result_store is not None and Capability.TTL in self.result_store.capabilities

    def now(self) -> float:
        """The current time, in seconds since the epoch: by the queue's clock, where a consumer has measured it."""
        shared = self._shared
        return time.time() + shared.clock_offset if shared.clock is None else shared.clock()

    @cached_property
    def revocations(self) -> Revocations:
        """The revocations in the task store.

        Raises:
            Unsupported: It cannot keep them, or there is none.
        """
        if self.task_store is None:
            raise Unsupported("revoking needs a task store; give the invoker one with task_store=...")
        if not keeps_revocations(self.task_store):
            raise Unsupported(f"{plugin_of(self.task_store)} has no 'locks', which revoking needs")
        return Revocations(self.task_store)

    @contextmanager
    def replaced(
        self,
        queue: BaseQueue,
        result_store: BaseDataStore | None = None,
        task_store: BaseDataStore | None = None,
        *,
        clock: Callable[[], float] | None = None,
    ) -> Iterator[Self]:
        """Work with another queue, other stores and another clock until the end of the block, for tests.

        Everything that holds this invoker follows, decorated functions and results among it, and so do the invokers of
        other queues (:meth:`on_queue`): theirs are siblings of this queue. What was opened from URLs stays open and
        unused. Not to be called while a consumer runs with this invoker.

        Args:
            queue: The queue.
            result_store: The result store; ``None`` for no results.
            task_store: The task store; ``None`` for none.
            clock: The time in seconds since the epoch; ``None`` for that of this process.
        """
        shared = self._shared
        clocks, groups = (shared.clock, shared.clock_offset), shared.eager_groups
        before = [(self, self._parts), *((other, other._parts) for other in self._others.values())]
        self._move_to(Parts(self._opened, queue, result_store, task_store))
        shared.clock, shared.clock_offset, shared.eager_groups = clock, 0.0, EagerGroups()
        try:
            yield self
        finally:
            (shared.clock, shared.clock_offset), shared.eager_groups = clocks, groups
            for invoker, parts in before:
                invoker._move_to(parts)

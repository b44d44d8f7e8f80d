"""Which queue of a consumer may claim next: the worker pool's room, divided between the queues that have messages.

By weight, what is divided is the time of the workers. Of the queues that have messages, the one whose commands have
taken the least of it for its weight goes first, and none goes ahead of that one by more than a moment. In strict order,
a queue claims when no queue before it has messages.

An idle queue takes no part: its claim waits in the server. What that then brings is let in, or given back at once: by
weight where every worker is busy with something slow, in strict order where a queue before it has messages.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.consumer.policy import Policy
    from huey_core.workers.base import Run, WorkerPool

__all__ = ["Share", "Shares", "Turn"]


class Turn(NamedTuple):
    """What a queue may do now.

    Attributes:
        limit: How many messages it may claim; with none, it waits for workers, or for its turn.
        in_server: Whether the claim may wait in the server for a message to come.
        is_beside: Whether other queues keep the workers busy meanwhile, so that it is not to look at what they do.
    """

    limit: int
    in_server: bool = True
    is_beside: bool = False


class Shares:
    """Divides the room of a worker pool between queues.

    Args:
        pool: The worker pool.
        policy: What it decides by that is no setting.
        in_order: Whether the queues are served in strict order, that of :meth:`add`; by weight otherwise.
        clock: A monotonic time in seconds.
    """

    def __init__(
        self,
        pool: WorkerPool,
        policy: Policy,
        *,
        in_order: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.pool = pool
        self.policy = policy
        self.in_order = in_order
        self.clock = clock
        self.lock = threading.Lock()
        self.all: list[Share] = []

    def add(self, weight: float = 1.0) -> Share:
        """Make the share of one more queue; to be done before the first one claims."""
        share = Share(self, weight, len(self.all))
        self.all.append(share)
        return share

    def note_idle_worker(self) -> None:
        """A worker of the pool says that it will look for the next delivery."""
        # Called for each command: those that wait in the server cost nothing.
        for share in self.all:
            if share.is_watching:
                share.wake()


@dataclass(eq=False, repr=False)
class Share:
    """One queue's part in the pool's room; its fetch loop calls it."""

    _shares: Shares
    _weight: float
    _position: int

    def __post_init__(self) -> None:
        self.is_watching = False
        """Whether the fetch loop wants to be woken when a worker is idle, or when another queue has claimed.

        Who wakes it sets this to false, so that the next command that ends costs nothing more.
        """
        self.wake: Callable[[], None] = lambda: None
        self._seconds: Callable[[Sequence[Run]], tuple[float, float]] = lambda running: (0.0, 0.0)
        # Until a claim has shown otherwise: in strict order, none goes before one that it does not know to be empty.
        self._has_messages = True
        self._seen = self._shares.clock()
        self._is_asking_server = False
        self._reserved = 0
        self._passed_by = 0.0

    def join(self, wake: Callable[[], None], seconds: Callable[[Sequence[Run]], tuple[float, float]]) -> None:
        """Take part.

        Args:
            wake: Has the fetch loop look at the pool again. Any thread calls it.
            seconds: How many seconds of workers this queue's commands have taken until now, and how many those in
                flight will probably take; it is given what runs, of all queues. The fetch loops of others call it.
        """
        self.wake, self._seconds = wake, seconds

    @property
    def patience(self) -> float:
        """Seconds after which to look again, though nobody has woken this queue: another one's server may hang."""
        is_alone = len(self._shares.all) == 1
        return self._shares.policy.answers_within if self._has_messages and not is_alone else float("inf")

    def watch(self) -> None:
        """Be woken from now on, once, unless a claim waits in the server."""
        self.is_watching = True

    def settling(self) -> None:
        """Note that outcomes are about to be written: the server, or that of the results, may hang then too."""
        self._seen, self._is_asking_server = self._shares.clock(), True

    def ask(self, most: int, target: int, ahead: int, cost: float) -> Turn:
        """Say what this queue may do now.

        Args:
            most: How many messages it would claim in one call.
            target: How many it would prefetch.
            ahead: How many are prefetched now, of all queues.
            cost: The seconds that one of its commands takes; infinite when that is not known.
        """
        shares = self._shares
        with shares.lock:
            self._seen, self._is_asking_server, self._reserved = shares.clock(), False, 0
            others = self._competing_others()
            if not self._has_messages and others:
                return Turn(min(self._beside(target, others), most), is_beside=True)
            limit = min(shares.pool.room() + target - sum(one._reserved for one in others), most)
            if ahead > target // 2 or (shares.in_order and self._is_behind(others)):
                limit = 0
            elif limit > 0 and others and not shares.in_order:
                limit = min(limit, self._within_weight(others, target, cost))
            self._reserved = max(limit, 0) if others else 0
            # In strict order, those behind have to know at once that this one is empty.
            return Turn(limit, in_server=not others and not (shares.in_order and self._has_messages))

    def claiming(self, waits: bool) -> None:
        """Note that a claim begins, and whether it waits in the server: workers are then looked at afterwards."""
        self._is_asking_server = True
        if waits:
            self.is_watching = False

    def keep(self, brought: int, target: int) -> int:
        """Return how many of the messages that a claim has brought are let in; the others are to be given back.

        Args:
            brought: How many messages it has brought.
            target: How many messages this queue would prefetch.
        """
        shares = self._shares
        with shares.lock:
            granted, had_messages = self._reserved, self._has_messages
            self._seen, self._has_messages = shares.clock(), brought > 0
            others = self._competing_others()
            kept = brought
            if not granted and shares.in_order and self._is_behind(others):
                kept = 0
            elif not granted and not target:
                room = shares.pool.room() - sum(one._reserved for one in others)
                kept = min(brought, max(room, 0))
            if brought and not had_messages and others:
                self._forget_idle_time(others)
            self._reserved = kept
            return kept

    def has_claimed(self) -> None:
        """Note that what a claim has brought is in the pool or given back."""
        self._reserved = 0
        self._wake_others()

    def rest(self) -> None:
        """Take no part until a claim brings something: this queue cannot claim now, or it has failed to."""
        with self._shares.lock:
            self._has_messages, self._reserved = False, 0
        self._wake_others()

    def _wake_others(self) -> None:
        for share in self._shares.all:
            if share.is_watching and share is not self:
                share.wake()

    def _competing_others(self) -> list[Share]:
        return [one for one in self._shares.all if one is not self and one._competes()]

    def _competes(self) -> bool:
        """Whether this queue has messages, as far as is known, and will soon claim them; not while its server hangs."""
        shares = self._shares
        soon = not self._is_asking_server or shares.clock() - self._seen < shares.policy.answers_within
        return self._has_messages and soon

    def _is_behind(self, others: Sequence[Share]) -> bool:
        return any(one._position < self._position for one in others)

    def _beside(self, target: int, others: Sequence[Share]) -> int:
        """How many messages an idle queue may bring while others keep the workers busy."""
        shares = self._shares
        whole = shares.pool.size + target
        if shares.in_order:
            return 1 if self._is_behind(others) else whole
        return max(int(whole * self._weight / sum(one._weight for one in (self, *others))), 1)

    def _within_weight(self, others: Sequence[Share], target: int, cost: float) -> int:
        """How many messages this queue may claim before others have had their part of what the pool takes at once."""
        policy, pool = self._shares.policy, self._shares.pool
        running = pool.running()
        used = self._used(running)
        least = min(used, *(one._used(running) for one in others))
        moment = min(policy.horizon * pool.size, (pool.size + target) * cost)
        moment /= sum(one._weight for one in (self, *others))
        return max(int(self._weight * (least + moment - used) / cost), 1 if used <= least else 0)

    def _forget_idle_time(self, others: Sequence[Share]) -> None:
        """Begin where the others are: what a queue did not use while it was idle is not saved up."""
        running = self._shares.pool.running()
        # Until now: of what is in flight the others only guess, and a wrong guess would keep this queue waiting.
        least = min(one._taken(running) for one in others)
        self._passed_by += max(least - self._taken(running), 0.0) * self._weight

    def _taken(self, running: Sequence[Run]) -> float:
        return (self._seconds(running)[0] + self._passed_by) / self._weight

    def _used(self, running: Sequence[Run]) -> float:
        return (sum(self._seconds(running)) + self._passed_by) / self._weight

"""A leased queue against a model: random histories of calls, after each of which both must say the same."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from huey_core.backends import (
    Ack,
    Arrival,
    Bury,
    Capability,
    Delivery,
    LeasedQueue,
    Message,
    Outcome,
    Release,
    Retry,
    State,
)
from huey_testing.conformance._promises import Passing, promise
from huey_testing.conformance._queue_base import QueueFactory, QueueFixtures
from huey_testing.conformance._queue_model import MAX_DELIVERIES, Entry, Model

__all__ = ["QueueHistories"]

T = TypeVar("T")

# Leases and delays end at fractions of a second that no sum of moves of the clock meets, so that no history depends
# on what a backend does at the very instant when something ends. Where the clock cannot be moved, nothing is to end.
LEASES: Final = st.sampled_from([10.5, 30.75])
DELAYS: Final = st.sampled_from([0.0, 5.25, 20.125])
MOVES: Final = st.sampled_from([7.0, 15.0, 40.0])
HOW: Final = st.sampled_from(
    [
        *("ack", "ack and follow up", "ack and arrive", "bury", "bury and follow up", "bury and arrive"),
        *("retry", "count on", "release", "postpone"),
    ]
)
PICKS: Final = st.integers(0, 9)

GROUP_TTL: Final = 60.375
"""Seconds after which a group is forgotten, where the clock can be moved."""

DAY: Final = 86400.0
"""Seconds of a lease that does not end, however slow the machine is."""


class _World:
    """A queue and its model, side by side."""

    def __init__(self, queue: LeasedQueue, move: Passing | None) -> None:
        self.queue = queue
        self.move = move
        self.follows_up = Capability.ATOMIC_SETTLE in queue.capabilities
        self.joins = Capability.JOINS in queue.capabilities
        self.model = Model()
        self.given: dict[tuple[str, str], Delivery] = {}

    def lease(self, seconds: float) -> float:
        """The lease to ask for. It ends only where the clock can be moved."""
        return seconds if self.move else DAY

    def now(self) -> float:
        """The queue's time. Where nothing is to end any time will do, and no server has to be asked."""
        return self.queue.now() if self.move else time.time()

    def entries(self, *states: State) -> list[Entry]:
        """The messages in these states, in the order of writing."""
        return [entry for entry in self.model.entries.values() if entry.state in states]

    def late(self) -> list[Delivery]:
        """The deliveries that have ended."""
        current = {entry.delivery for entry in self.entries(State.RUNNING)}
        return [delivery for key, delivery in self.given.items() if key not in current]

    def outcome(self, delivery: Delivery, how: str, delay: float, pick: int) -> Outcome:
        delay = delay if self.move else 0.0
        arrivals = (self.arrival(pick),) if how.endswith("arrive") and self.joins else ()
        follow_ups = (Message(b"follow-up"),) if how.endswith("follow up") and self.follows_up else ()
        match how:
            case "retry" | "count on":
                return Retry(delivery, b"retry", delay, keep_attempts=how == "count on")
            case "release":
                return Release(delivery)
            case "postpone":
                return Release(delivery, delay)
            case "bury" | "bury and follow up" | "bury and arrive":
                return Bury(delivery, "reason", follow_ups=follow_ups, arrivals=arrivals)
            case _:
                return Ack(delivery, follow_ups=follow_ups, arrivals=arrivals)

    def arrival(self, pick: int) -> Arrival:
        """One of three members of a group that is complete with two."""
        return Arrival("group", str(pick % 3), 2, Message(b"then", "what follows"), self.lease(GROUP_TTL))

    def compare_counts(self) -> None:
        now = self.now()
        overdue = any(entry.overdue(now) for entry in self.entries(*State))
        counts = self.queue.counts()
        seen = Counter({state: getattr(counts, state.value) for state in State})
        assert seen.total() == len(self.model.entries)
        assert overdue or +seen == Counter(entry.state for entry in self.entries(*State))

    def compare_groups(self) -> None:
        if self.joins:
            self.model.forget_groups(self.now())
            seen = {group.group: group.arrived for group in self.queue.groups().items}
            assert seen == {name: len(group.members) for name, group in self.model.groups.items()}


# One call of a history each. What a call is about is picked from what the model has at that moment, by a number modulo
# its size; where there is nothing to pick, nothing happens.


@dataclass(frozen=True)
class _Write:
    priority: int
    delay: float
    key: str | None

    def check(self, world: _World) -> None:
        eta = world.now() + self.delay if self.delay and world.move else None
        message = Message(b"new", priority=self.priority, eta=eta, unique_key=self.key)
        (written,) = world.queue.write_many([message])
        holder = world.model.keys.get(self.key, message.message_id)
        assert written.created is world.model.write(message, world.now())
        assert written.message_id == holder


@dataclass(frozen=True)
class _WriteAgain:
    pick: int

    def check(self, world: _World) -> None:
        for entry in _picked(self.pick, world.entries(State.READY, State.SCHEDULED, State.RUNNING)):
            assert not world.queue.write(b"again", message_id=entry.message.message_id, priority=9).created


@dataclass(frozen=True)
class _Claim:
    limit: int
    lease: float

    def check(self, world: _World) -> None:
        lease = world.lease(self.lease)
        claimed = world.queue.claim(self.limit, lease).deliveries
        now = world.now()
        expected = world.model.claim(self.limit, now)
        for entry in expected:
            entry.attempt += 1
            entry.state, entry.due = State.RUNNING, now + lease
        assert [(delivery.message_id, delivery.data, delivery.attempt) for delivery in claimed] == [
            (entry.message.message_id, entry.message.data, entry.attempt) for entry in expected
        ]
        for entry, delivery in zip(expected, claimed, strict=True):
            entry.receipt = delivery.receipt
            assert entry.delivery not in world.given
            world.given[entry.delivery] = delivery


@dataclass(frozen=True)
class _Settle:
    pick: int
    how: str
    delay: float

    def check(self, world: _World) -> None:
        for entry in _picked(self.pick, world.entries(State.RUNNING)):
            outcome = world.outcome(world.given[entry.delivery], self.how, self.delay, self.pick)
            (settled,) = world.queue.settle([outcome])
            # A lease that has ended may be settled until a claim takes the message back, or be refused at once.
            assert settled or entry.overdue(world.now())
            if settled:
                world.model.settle(entry, outcome, world.now())
            if self.how.endswith("arrive"):
                world.compare_groups()


@dataclass(frozen=True)
class _Extend:
    pick: int
    lease: float

    def check(self, world: _World) -> None:
        lease = world.lease(self.lease)
        for entry in _picked(self.pick, world.entries(State.RUNNING)):
            (extended,) = world.queue.extend([world.given[entry.delivery]], lease)
            assert extended or entry.overdue(world.now())
            if extended:
                entry.due = world.now() + lease


@dataclass(frozen=True)
class _SpeakLate:
    pick: int
    how: str
    delay: float

    def check(self, world: _World) -> None:
        for delivery in _picked(self.pick, world.late()):
            assert world.queue.settle([world.outcome(delivery, self.how, self.delay, self.pick)]) == [False]
            assert world.queue.extend([delivery], 10.5) == [False]


@dataclass(frozen=True)
class _Requeue:
    pick: int

    def check(self, world: _World) -> None:
        for entry in _picked(self.pick, world.entries(State.DEAD, State.SCHEDULED) or world.entries(*State)):
            message_id = entry.message.message_id
            requeued = world.queue.requeue([message_id])
            if not requeued and entry.state is State.SCHEDULED and entry.overdue(world.now()):
                entry.state = State.READY
            else:
                assert requeued == ([message_id] if world.model.requeue(entry) else [])


@dataclass(frozen=True)
class _Reschedule:
    pick: int
    delay: float

    def check(self, world: _World) -> None:
        if Capability.TRANSFER not in world.queue.capabilities:
            return
        for entry in _picked(self.pick, world.entries(State.READY, State.SCHEDULED) or world.entries(*State)):
            message_id, now = entry.message.message_id, world.now()
            eta = now + self.delay if self.delay and world.move else now - DAY
            expected = [message_id] if world.model.reschedule(entry, eta, now) else []
            assert world.queue.reschedule([message_id], eta) == expected


@dataclass(frozen=True)
class _DeleteGroups:
    def check(self, world: _World) -> None:
        if world.joins:
            world.model.forget_groups(world.now())
            assert world.queue.delete_groups(["group", "group"]) == list(world.model.groups)
            world.model.groups.clear()


@dataclass(frozen=True)
class _Delete:
    pick: int

    def check(self, world: _World) -> None:
        for entry in _picked(self.pick, world.entries(*State)):
            message_id = entry.message.message_id
            assert world.queue.delete([message_id, message_id]) == [message_id]
            world.model.delete(entry)


@dataclass(frozen=True)
class _Pass:
    seconds: float

    def check(self, world: _World) -> None:
        if world.move:
            world.move(self.seconds)


def _picked(pick: int, things: list[T]) -> list[T]:
    return [things[pick % len(things)]] if things else []


_WRITES = st.builds(_Write, priority=st.integers(-1, 1), delay=DELAYS, key=st.sampled_from([None, "a", "b"]))
_CLAIMS = st.builds(_Claim, limit=st.integers(1, 3), lease=LEASES)
_SETTLES = st.builds(_Settle, pick=PICKS, how=HOW, delay=DELAYS)
_PASSES = st.builds(_Pass, seconds=MOVES)
_OTHERS = st.one_of(
    st.builds(_WriteAgain, pick=PICKS),
    st.builds(_Extend, pick=PICKS, lease=LEASES),
    st.builds(_SpeakLate, pick=PICKS, how=HOW, delay=DELAYS),
    st.builds(_Requeue, pick=PICKS),
    st.builds(_Reschedule, pick=PICKS, delay=DELAYS),
    st.builds(_DeleteGroups),
    st.builds(_Delete, pick=PICKS),
)
CALLS: Final = st.sampled_from(
    [_WRITES, _WRITES, _CLAIMS, _CLAIMS, _CLAIMS, _SETTLES, _SETTLES, _PASSES, _PASSES, _OTHERS, _OTHERS]
)


class _QueueMachine(RuleBasedStateMachine):
    """A history of calls. There is one rule, since hypothesis would leave several out at random, and most with them."""

    def __init__(self, new_queue: QueueFactory, move: Passing | None) -> None:
        super().__init__()
        self.world = _World(new_queue(max_deliveries=MAX_DELIVERIES), move)

    @rule(call=CALLS.flatmap(lambda calls: calls))
    def call(self, call: Any) -> None:
        call.check(self.world)
        self.world.compare_counts()

    def teardown(self) -> None:
        self.world.queue.flush()


class QueueHistories(QueueFixtures):
    """The promises all together, in an order that nobody thought of."""

    @promise(Capability.LEASES, Capability.DELAY, Capability.PRIORITY, Capability.UNIQUE, Capability.INSPECT)
    def test_random_histories_go_as_the_contract_says(self, new_queue: QueueFactory, advance: Passing) -> None:
        """Without this, a command would be lost, doubled or misplaced after a rare turn of events."""
        move = None if advance is time.sleep else advance
        machine = cast("type[RuleBasedStateMachine]", partial(_QueueMachine, new_queue, move))
        run_state_machine_as_test(machine, settings=self.histories)

"""A leased queue against a model: random histories of calls, after each of which both must say the same.

The model is the contract in its plainest form: a dictionary of messages and a sort. It knows nothing of how a backend
does it, and keeps neither order nor index.
"""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import itertools
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from huey_core.backends.capabilities import Capability
from huey_core.backends.leased import Ack, Bury, Delivery, Message, Outcome, Release, Retry, State
from huey_core.testing.conformance._promises import Passing, promise
from huey_core.testing.conformance._queue_base import QueueFactory, QueueFixtures

__all__ = ["QueueHistories"]

MAX_DELIVERIES: Final = 2

# Leases and delays end at fractions of a second that no sum of moves of the clock meets, so that no history depends
# on what a backend does at the very instant when something ends.
LEASES: Final = st.sampled_from([10.5, 30.75])
DELAYS: Final = st.sampled_from([0.0, 5.25, 20.125])
MOVES: Final = st.sampled_from([1.0, 7.0, 15.0, 40.0])


@dataclass
class _Entry:
    """A message in the model."""

    message: Message
    number: int
    state: State = State.READY
    due: float = 0.0
    attempt: int = 0
    receipt: str = ""

    def overdue(self, now: float) -> bool:
        """Whether the next claim moves it, and until then a backend may show it in its old state or in the new one."""
        return self.state in {State.SCHEDULED, State.RUNNING} and self.due <= now


@dataclass
class _Model:
    """What the contract says, for messages without ``unique_for``."""

    entries: dict[str, _Entry] = field(default_factory=dict)
    keys: dict[str | None, str] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def write(self, message: Message, now: float) -> bool:
        if message.message_id in self.entries or message.unique_key in self.keys:
            return False
        entry = self.entries[message.message_id] = _Entry(message, next(self.numbers))
        self.take_key(entry)
        self.place(entry, message.eta or 0.0, now)
        return True

    def claim(self, limit: int, now: float) -> list[_Entry]:
        for entry in self.entries.values():
            if entry.overdue(now):
                if entry.state is State.RUNNING and entry.attempt >= MAX_DELIVERIES:
                    self.bury(entry)
                else:
                    entry.state = State.READY
        ready = [entry for entry in self.entries.values() if entry.state is State.READY]
        return sorted(ready, key=lambda entry: (-entry.message.priority, entry.number))[:limit]

    def settle(self, entry: _Entry, outcome: Outcome, now: float) -> None:
        match outcome:
            case Ack():
                self.delete(entry)
                for message in outcome.follow_ups:
                    self.write(message, now)
            case Retry():
                entry.message = replace(entry.message, data=outcome.data)
                entry.attempt = 0
                self.place(entry, now + outcome.delay, now)
            case Release():
                entry.attempt -= 1
                entry.state = State.READY
            case Bury():
                self.bury(entry)

    def requeue(self, entry: _Entry) -> bool:
        if entry.state not in {State.DEAD, State.SCHEDULED}:
            return False
        if self.keys.get(entry.message.unique_key, entry.message.message_id) != entry.message.message_id:
            return False
        self.take_key(entry)
        entry.state, entry.attempt = State.READY, 0
        return True

    def delete(self, entry: _Entry) -> None:
        del self.entries[entry.message.message_id]
        self.free_key(entry)

    def bury(self, entry: _Entry) -> None:
        entry.state = State.DEAD
        self.free_key(entry)

    def place(self, entry: _Entry, due: float, now: float) -> None:
        entry.state, entry.due = (State.SCHEDULED, due) if due > now else (State.READY, 0.0)

    def take_key(self, entry: _Entry) -> None:
        if entry.message.unique_key is not None:
            self.keys[entry.message.unique_key] = entry.message.message_id

    def free_key(self, entry: _Entry) -> None:
        if self.keys.get(entry.message.unique_key) == entry.message.message_id:
            del self.keys[entry.message.unique_key]


class _QueueMachine(RuleBasedStateMachine):
    """The calls of a history. Where the clock cannot be moved, nothing is delayed and no lease ends."""

    deliveries: Bundle[Delivery] = Bundle("deliveries")
    ids: Bundle[str] = Bundle("ids")

    def __init__(self, new_queue: QueueFactory, move: Passing | None) -> None:
        super().__init__()
        self.queue = new_queue(max_deliveries=MAX_DELIVERIES)
        self.follows_up = Capability.ATOMIC_SETTLE in self.queue.capabilities
        self.move = move
        self.model = _Model()
        self.receipts: set[str] = set()

    @rule(target=ids, priority=st.integers(-1, 1), delay=DELAYS, key=st.sampled_from([None, None, "a", "b"]))
    def write(self, priority: int, delay: float, key: str | None) -> str:
        eta = self.queue.now() + delay if delay and self.move else None
        message = Message(b"new", priority=priority, eta=eta, unique_key=key)
        (written,) = self.queue.write_many([message])
        holder = self.model.keys.get(key, message.message_id)
        assert written.created is self.model.write(message, self.queue.now())
        assert written.message_id == holder
        return message.message_id

    @rule(message_id=ids)
    def write_again(self, message_id: str) -> None:
        entry = self.model.entries.get(message_id)
        if entry is not None and entry.state is not State.DEAD:
            assert self.queue.write(b"again", message_id=message_id, priority=9).created is False

    @rule(target=deliveries, limit=st.integers(1, 4), lease=LEASES)
    def claim(self, limit: int, lease: float) -> Any:
        claimed: list[Delivery] = self.queue.claim(limit, lease)
        now = self.queue.now()
        expected = self.model.claim(limit, now)
        for entry in expected:
            entry.attempt += 1
            entry.state, entry.due = State.RUNNING, now + lease
        assert [(delivery.message_id, delivery.data, delivery.attempt) for delivery in claimed] == [
            (entry.message.message_id, entry.message.data, entry.attempt) for entry in expected
        ]
        for entry, delivery in zip(expected, claimed, strict=True):
            assert delivery.receipt not in self.receipts
            self.receipts.add(delivery.receipt)
            entry.receipt = delivery.receipt
        return multiple(*claimed)

    @rule(
        target=ids,
        delivery=deliveries,
        how=st.sampled_from(["ack", "follow", "retry", "release", "bury"]),
        delay=DELAYS,
    )
    def settle(self, delivery: Delivery, how: str, delay: float) -> Any:
        follow_up = Message(b"follow-up")
        outcome: Outcome
        match how:
            case "ack":
                outcome = Ack(delivery)
            case "follow":
                outcome = Ack(delivery, follow_ups=(follow_up,) if self.follows_up else ())
            case "retry":
                outcome = Retry(delivery, b"retry", delay if self.move else 0.0)
            case "release":
                outcome = Release(delivery)
            case _:
                outcome = Bury(delivery, "reason")
        (settled,) = self.queue.settle([outcome])
        entry = self.held(delivery, settled)
        if entry is not None:
            self.model.settle(entry, outcome, self.queue.now())
        return follow_up.message_id

    @rule(delivery=deliveries, lease=LEASES)
    def extend(self, delivery: Delivery, lease: float) -> None:
        (extended,) = self.queue.extend([delivery], lease)
        entry = self.held(delivery, extended)
        if entry is not None:
            entry.due = self.queue.now() + lease

    @rule(message_id=ids)
    def requeue(self, message_id: str) -> None:
        requeued = self.queue.requeue([message_id])
        entry = self.model.entries.get(message_id)
        if entry is None:
            assert requeued == []
        elif entry.state is State.SCHEDULED and entry.overdue(self.queue.now()):
            entry.state = State.READY
        else:
            assert requeued == ([message_id] if self.model.requeue(entry) else [])

    @rule(message_id=ids)
    def delete(self, message_id: str) -> None:
        deleted = self.queue.delete([message_id])
        entry = self.model.entries.get(message_id)
        assert deleted == ([] if entry is None else [message_id])
        if entry is not None:
            self.model.delete(entry)

    @precondition(lambda self: self.move is not None)
    @rule(seconds=MOVES)
    def let_time_pass(self, seconds: float) -> None:
        assert self.move is not None
        self.move(seconds)

    @invariant()
    def counts_agree(self) -> None:
        now = self.queue.now()
        entries = self.model.entries.values()
        counts = self.queue.counts()
        seen = Counter({state: getattr(counts, state.value) for state in State})
        assert seen.total() == len(entries)
        assert seen[State.DEAD] == sum(entry.state is State.DEAD for entry in entries) or any(
            entry.overdue(now) for entry in entries
        )
        if not any(entry.overdue(now) for entry in entries):
            assert +seen == Counter(entry.state for entry in entries)

    def held(self, delivery: Delivery, said: bool) -> _Entry | None:
        """The entry whose delivery this is, if it still is; check that the queue said the same."""
        entry = self.model.entries.get(delivery.message_id)
        if entry is None or entry.state is not State.RUNNING or entry.receipt != delivery.receipt:
            assert said is False
            return None
        # A lease that has ended may be settled until a claim takes the message back, or be refused at once.
        assert said is True or entry.overdue(self.queue.now())
        return entry if said else None

    def teardown(self) -> None:
        self.queue.flush()


class QueueHistories(QueueFixtures):
    """The promises all together, in an order that nobody thought of."""

    @promise(Capability.LEASES, Capability.DELAY, Capability.PRIORITY, Capability.UNIQUE, Capability.INSPECT)
    def test_random_histories_go_as_the_contract_says(self, new_queue: QueueFactory, advance: Passing) -> None:
        """Without this, a command would be lost, doubled or misplaced after a rare turn of events."""
        runs, steps = self.model_runs
        machine = partial(_QueueMachine, new_queue, None if advance is time.sleep else advance)
        run_state_machine_as_test(
            cast("type[RuleBasedStateMachine]", machine),
            settings=settings(
                max_examples=runs,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )

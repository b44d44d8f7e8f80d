"""The contract in its plainest form: a dictionary of messages and a sort, to which a real queue is held.

It knows nothing of how a backend does it, and keeps neither order nor index.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import Final

from huey_core.backends import Ack, Bury, Message, Outcome, Release, Retry, State

__all__ = ["MAX_DELIVERIES", "Entry", "Model"]

MAX_DELIVERIES: Final = 2
"""Deliveries after which the model buries a message."""


@dataclass
class Entry:
    """A message in the model."""

    message: Message
    number: int
    state: State = State.READY
    due: float = 0.0
    attempt: int = 0
    receipt: str = ""

    @property
    def delivery(self) -> tuple[str, str]:
        """What tells its delivery from any other: messages that are claimed together may have one receipt."""
        return self.message.message_id, self.receipt

    def overdue(self, now: float) -> bool:
        """Whether the next claim moves it, and until then a backend may show it in its old state or in the new one."""
        return self.state in {State.SCHEDULED, State.RUNNING} and self.due <= now


@dataclass
class Group:
    """A group in the model, complete or not."""

    expires: float = 0.0
    members: set[str] = field(default_factory=set)


@dataclass
class Model:
    """What the contract says, for messages without ``unique_for``."""

    entries: dict[str, Entry] = field(default_factory=dict)
    keys: dict[str | None, str] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def write(self, message: Message, now: float) -> bool:
        if message.message_id in self.entries or message.unique_key in self.keys:
            return False
        entry = self.entries[message.message_id] = Entry(message, next(self.numbers))
        self.take_key(entry)
        self.place(entry, message.eta or 0.0, now)
        return True

    def claim(self, limit: int, now: float) -> list[Entry]:
        for entry in self.entries.values():
            if entry.overdue(now):
                if entry.state is State.RUNNING and entry.attempt >= MAX_DELIVERIES:
                    self.bury(entry)
                else:
                    entry.state = State.READY
        ready = [entry for entry in self.entries.values() if entry.state is State.READY]
        return sorted(ready, key=lambda entry: (-entry.message.priority, entry.number))[:limit]

    def settle(self, entry: Entry, outcome: Outcome, now: float) -> None:
        match outcome:
            case Ack():
                self.delete(entry)
                self.write_what_follows(outcome, now)
            case Retry():
                entry.message = replace(entry.message, data=outcome.data)
                if not outcome.keep_attempts:
                    entry.attempt = 0
                self.place(entry, now + outcome.delay, now)
            case Release():
                entry.attempt -= 1
                self.place(entry, now + outcome.delay, now)
            case Bury():
                self.bury(entry)
                self.write_what_follows(outcome, now)

    def write_what_follows(self, outcome: Ack | Bury, now: float) -> None:
        for message in outcome.follow_ups:
            self.write(message, now)
        for arrival in outcome.arrivals:
            self.forget_groups(now)
            group = self.groups.setdefault(arrival.group, Group())
            if arrival.member not in group.members and len(group.members) < arrival.of:
                group.members.add(arrival.member)
                group.expires = now + arrival.ttl
                if len(group.members) == arrival.of:
                    self.write(arrival.then, now)

    def forget_groups(self, now: float) -> None:
        self.groups = {name: group for name, group in self.groups.items() if group.expires > now}

    def reschedule(self, entry: Entry, eta: float, now: float) -> bool:
        if entry.state not in {State.READY, State.SCHEDULED}:
            return False
        self.place(entry, eta, now)
        return True

    def requeue(self, entry: Entry) -> bool:
        if entry.state not in {State.DEAD, State.SCHEDULED}:
            return False
        if self.keys.get(entry.message.unique_key, entry.message.message_id) != entry.message.message_id:
            return False
        self.take_key(entry)
        entry.state, entry.attempt = State.READY, 0
        return True

    def delete(self, entry: Entry) -> None:
        del self.entries[entry.message.message_id]
        self.free_key(entry)

    def bury(self, entry: Entry) -> None:
        entry.state = State.DEAD
        self.free_key(entry)

    def place(self, entry: Entry, due: float, now: float) -> None:
        entry.state, entry.due = (State.SCHEDULED, due) if due > now else (State.READY, 0.0)

    def take_key(self, entry: Entry) -> None:
        if entry.message.unique_key is not None:
            self.keys[entry.message.unique_key] = entry.message.message_id

    def free_key(self, entry: Entry) -> None:
        if self.keys.get(entry.message.unique_key) == entry.message.message_id:
            del self.keys[entry.message.unique_key]

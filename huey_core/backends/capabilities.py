"""What a backend declares that it can do.

A capability is a promise: the conformance tests exercise each one that a backend declares, and a command that asks
for one its backend lacks is refused when it is decorated or when the consumer starts, never ignored at run time.
"""

from __future__ import annotations

import enum

__all__ = ["Capability"]


class Capability(enum.Enum):
    """One promise of a backend. The value is the name shown by ``huey info`` and in the documentation."""

    LEASES = "leases"
    """Messages are claimed under a lease and come back when the consumer that holds them dies."""

    DELAY = "delay"
    """A message with an ``eta`` is kept by the server until it is due."""

    PRIORITY = "priority"
    """A message of higher priority is claimed first."""

    UNIQUE = "unique"
    """At most one live message exists for a unique key."""

    BLOCKING = "blocking"
    """``claim(wait=...)`` waits for a message without polling."""

    TTL = "ttl"
    """The data store forgets a value by itself after its time to live."""

    ATOMIC_SETTLE = "atomic_settle"
    """A result, follow-up messages and the ack are written in one step that no crash can split."""

    NOTIFY = "notify"
    """A caller that waits for a key of the data store is told, and need not poll."""

    LOCKS = "locks"
    """``put_if_absent``, ``replace_if_equal`` and ``increment`` are atomic across processes."""

    INSPECT = "inspect"
    """Messages in every state can be counted, listed, requeued and deleted."""

    PAUSE = "pause"
    """A queue can be paused and resumed for every consumer at once."""

    PERSISTENT = "persistent"
    """Messages outlive the process that wrote them and can be read by another process."""

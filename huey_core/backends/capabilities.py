"""What a backend declares that it can do.

A capability is a promise: the conformance kit tests each one that a backend declares, and a command that asks for one
its backend lacks is refused when it is decorated or when the consumer starts, never ignored at run time.
"""

from __future__ import annotations

import enum
from typing import Self

__all__ = ["Capability"]


class Capability(enum.Enum):
    """One promise of a backend.

    Attributes:
        value: The name that the command line and the documentation show.
        description: What is promised, in a sentence.
    """

    description: str

    LEASES = "leases", "Messages are claimed under a lease and come back when the consumer that holds them dies."
    DELAY = "delay", "A message with an eta is kept by the server until it is due."
    PRIORITY = "priority", "A message of higher priority is claimed first."
    UNIQUE = "unique", "At most one live message exists for a unique key."
    BLOCKING = "blocking", "A claim waits for a message in the server, without polling."
    TTL = "ttl", "The data store forgets a value by itself after its time to live, and offers peek()."
    ATOMIC_SETTLE = (
        "atomic_settle",
        "A result, follow-up messages and the ack are written in one step that no crash can split.",
    )
    JOINS = (
        "joins",
        "A message is written when the last of a group has arrived, exactly once, in the step that ends that one.",
    )
    WAKE = (
        "wake",
        "A message that waits for a key of the data store is ready in the step in which the key is freed.",
    )
    NOTIFY = "notify", "Whoever waits for a key of the data store is told, and need not poll."
    LOCKS = (
        "locks",
        "The data store's put_if_absent(), replace_if_equal() and increment() are atomic for all processes, and it "
        "offers peek().",
    )
    INSPECT = "inspect", "Messages in every state can be counted, listed, requeued and deleted."
    TRANSFER = (
        "transfer",
        "All that is known of the messages can be exported and imported, and when they are due can be changed.",
    )
    LIST_QUEUES = "list_queues", "The names of a server's queues can be listed."
    PAUSE = "pause", "A queue can be paused and resumed for every consumer at once."
    PERSISTENT = "persistent", "Messages outlive the process that wrote them and can be read by another process."

    def __new__(cls, value: str, description: str) -> Self:
        """Make a member of its name and its meaning."""
        member = object.__new__(cls)
        member._value_ = value
        member.description = description
        return member

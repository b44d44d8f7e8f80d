"""The names of the keys of queues and data stores.

All keys of one queue share one hash tag, ``huey:{name}:...``, so that Redis Cluster keeps them on one node. What would
break the tag is percent-encoded in the name, and so is the percent sign, so two names never share a key.
"""

from __future__ import annotations

import binascii
import re
from typing import Final

__all__ = [
    "QUEUE_PARTS",
    "SIGNS_OF_QUEUES",
    "group_key",
    "group_prefix",
    "queue_keys",
    "queue_of_sign",
    "slot",
    "store_prefix",
]

QUEUE_PARTS: Final = (
    "msg",  # hash: id -> data of every message, live or dead
    "ready",  # sorted set: id -> rank; what is claimed next has the lowest rank
    "due",  # sorted set: id -> when a scheduled message falls due, ms
    "lease",  # sorted set: id -> when the lease of a running message ends, ms
    "run",  # hash: id -> "claim:attempt:rank", the receipt of a running message; "-:attempt:rank" for others, and
    # "w:attempt:rank:" and its entry in "waits" for one that waits for a key of a data store
    "dead",  # sorted set: id -> when the message was buried, ms
    "why",  # hash: id -> JSON with the reason and the detail of a dead message
    "unique",  # hash: unique key -> id of the message that took it
    "until",  # sorted set: unique key -> when it is free again, ms; only keys taken for a time
    "holds",  # hash: id -> its unique key
    "seq",  # counter: orders messages by their writing, and makes receipts fresh
    "bell",  # list: holds one token when there may be something to claim and nobody was waiting
    "paused",  # string: present while the queue is paused
    "unreported",  # sorted set: id of a dead letter -> when a claim may name it to be reported, ms
    "waits",  # sorted set of score 0: key of a data store, 255 (which no text has), rank and id of who waits for it
    "groups",  # sorted set: id of a group -> when it is forgotten, ms; goes with the last of them
)
"""The last part of each key of a queue, in the order in which every script takes them (``lua/prelude.lua``)."""


SIGNS_OF_QUEUES: Final = b"huey:{*}:[mp][sa][gu]*"
"""A pattern of keys, of which few others are than ``msg`` and ``paused`` of a queue."""

_SIGN: Final = re.compile(rb"huey:\{([^{}]*)\}:(?:msg|paused)")


def queue_of_sign(key: bytes) -> str | None:
    """Return the name of the queue of which a key shows that it has messages or is paused; ``None`` for other keys."""
    sign = _SIGN.fullmatch(key)
    try:
        return _decode(sign[1].decode()) if sign else None
    except UnicodeDecodeError:
        return None


def queue_keys(name: str) -> tuple[bytes, ...]:
    """Return the keys of a queue, in the order of :data:`QUEUE_PARTS`."""
    return tuple(f"huey:{{{_encode(name)}}}:{part}".encode() for part in QUEUE_PARTS)


def group_prefix(name: str) -> bytes:
    """Return what the key of every group of a queue begins with.

    A group's key is a hash that the server forgets by itself. Until the group is complete it holds ``of``, how many
    members there are, and ``m`` and the member for each that has arrived; after that ``complete`` alone, with the same
    number.
    """
    return f"huey:{{{_encode(name)}}}:group:".encode()


def group_key(name: str, group: str) -> bytes:
    """Return the key of a group of a queue."""
    return group_prefix(name) + group.encode()


def slot(name: str) -> int:
    """Return the slot of a cluster that all keys of a queue are in."""
    return binascii.crc_hqx(_encode(name).encode(), 0) % 16384


def store_prefix(name: str) -> bytes:
    """Return what the key of every value of a data store begins with."""
    return f"huey:{{{_encode(name)}}}:data:".encode()


def _encode(name: str) -> str:
    return name.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")


def _decode(name: str) -> str:
    return name.replace("%7D", "}").replace("%7B", "{").replace("%25", "%")

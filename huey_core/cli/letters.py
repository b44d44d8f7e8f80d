"""Messages as an operator sees them. The body of a message is never decoded here, only its header is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from huey_core.backends.leased import State
from huey_core.cli.output import echo_pairs, printable, timestamp
from huey_core.envelope import unpack
from huey_core.exceptions import DecodeError

if TYPE_CHECKING:
    from huey_core.backends.leased import LeasedQueue, StoredMessage

__all__ = ["as_json", "command_name", "dead_ids", "echo_letter"]

_PAGE: Final = 500
_TIMES: Final = frozenset({"at", "eta", "exp"})
_LABELS: Final = {
    "id": "id",
    "cmd": "command",
    "ser": "serializer",
    "at": "enqueued",
    "eta": "not before",
    "exp": "expires",
    "retries": "retries left",
    "prio": "priority",
    "opts": "options",
    "hdr": "headers",
}


def command_name(message: StoredMessage) -> str:
    """The name of the command that a message asks for, or that it cannot be read."""
    try:
        header, _, _ = unpack(message.data)
    except DecodeError:
        return "(unreadable)"
    return str(header.get("cmd", "(none)"))


def dead_ids(queue: LeasedQueue, older_than: float = 0.0) -> list[str]:
    """Collect the ids of all dead letters, or of those that were buried some seconds ago or earlier."""
    latest = queue.now() - older_than
    ids: dict[str, None] = {}
    offset = 0
    while page := queue.peek(State.DEAD, offset, _PAGE):
        ids |= {message.message_id: None for message in page if not older_than or (message.due or 0.0) <= latest}
        offset += len(page)
    return list(ids)


def as_json(message: StoredMessage, details: bool = False) -> dict[str, Any]:
    """A message as values for JSON; with details, its whole header and the traceback."""
    shown: dict[str, Any] = {
        "id": message.message_id,
        "command": None,
        "state": message.state,
        "buried": timestamp(message.due) if message.state is State.DEAD else None,
        "reason": message.reason,
        "size": len(message.data),
    }
    try:
        header, _, _ = unpack(message.data)
    except DecodeError as error:
        return shown | {"unreadable": str(error)} | ({"detail": message.detail} if details else {})
    shown["command"] = header.get("cmd")
    return shown | ({"header": header, "detail": message.detail} if details else {})


def echo_letter(message: StoredMessage) -> None:
    """Print all that is known about a message, its body excepted."""
    pairs = [("message", message.message_id), ("state", message.state.value)]
    if message.state is State.DEAD:
        pairs += [("buried", timestamp(message.due)), ("reason", message.reason)]
    try:
        header, _, body = unpack(message.data)
    except DecodeError as error:
        pairs.append(("unreadable", f"{error} ({len(message.data):,} bytes)"))
    else:
        pairs += [(_LABELS.get(key, key), _field(key, value)) for key, value in header.items()]
        pairs.append(("arguments", f"{len(body):,} bytes, not decoded"))
    echo_pairs(pairs)
    if message.detail:
        click.echo()
        click.echo(printable(message.detail, keep="\n\t"))


def _field(key: str, value: Any) -> str:
    return timestamp(value) if key in _TIMES and isinstance(value, int | float) else str(value)

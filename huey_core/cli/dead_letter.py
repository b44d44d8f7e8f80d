"""Messages as an operator sees them. The body of a message is never decoded here, only its header is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from huey_core.backends.messages import State
from huey_core.cli.output import echo_pairs, timestamp
from huey_core.inspection.messages import MessageFacts
from huey_core.text import printable
from huey_core.unicode import cut_middle

if TYPE_CHECKING:
    from huey_core.backends.messages import StoredMessage

__all__ = ["as_json", "command_name", "echo_message"]

_LONGEST_NAME: Final = 120
"""Characters of a command's name that are shown in a list: whoever writes a message decides what it asks for."""

_TIMES: Final = frozenset({"enqueued_at", "eta", "expires_at", "tick_at"})
_LABELS: Final = {
    "task_id": "id",
    "command_name": "command",
    "enqueued_at": "enqueued",
    "eta": "not before",
    "expires_at": "expires",
    "retries": "retries left",
    "tick_at": "tick",
}


def command_name(message: StoredMessage) -> str:
    """The name of the command that a message asks for, in limited length, or that it cannot be read."""
    facts = MessageFacts.read(message)
    return "(unreadable)" if facts.problem else cut_middle(facts.command, _LONGEST_NAME) or "(none)"


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
    facts = MessageFacts.read(message)
    if facts.problem:
        return shown | {"unreadable": facts.problem} | ({"detail": message.detail} if details else {})
    shown["command"] = facts.command or None
    return shown | ({"header": dict(facts.header.fields), "detail": message.detail} if details else {})


def echo_message(message: StoredMessage) -> None:
    """Print all that is known about a message, its body excepted."""
    pairs = [("message", message.message_id), ("state", message.state.value)]
    if message.state is State.DEAD:
        pairs += [("buried", timestamp(message.due)), ("reason", message.reason)]
    facts = MessageFacts.read(message)
    if facts.problem:
        pairs.append(("unreadable", f"{facts.problem} ({len(message.data):,} bytes)"))
    else:
        pairs += [(_LABELS.get(key, key), _field(key, value)) for key, value in facts.header.labelled_fields()]
        pairs.append(("arguments", f"{len(facts.body):,} bytes, not decoded"))
    echo_pairs(pairs)
    if message.detail:
        click.echo()
        click.echo(printable(message.detail, keep="\n\t"))


def _field(key: str, value: Any) -> str:
    return timestamp(value) if key in _TIMES and isinstance(value, int | float) else str(value)

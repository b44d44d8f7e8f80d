"""How far a run of a command has come, as the run itself says: a small record beside its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from huey_core.backends.capabilities import Capability
from huey_core.exceptions import ConfigurationError, DecodeError
from huey_core.message import encode_header, unpack
from huey_core.numbers import check_number
from huey_core.unicode import cut_middle, escape_surrogates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from huey_core.backends.base import BaseDataStore
    from huey_core.serializers.base import Serializer

__all__ = [
    "MAX_NOTE",
    "Progress",
    "checked_progress",
    "decode_progress",
    "encode_progress",
    "keeps_progress",
    "progress_key",
]

MAX_NOTE: Final = 500
"""Characters of a note that are kept, about: of a longer one the middle is left out."""

MAX_NUMBER: Final = 2**53
"""The highest number of a progress: every serializer, and JavaScript in a page, carries those up to it."""

MAX_SIZE: Final = 64 * 2**10
"""Bytes of a record that are read."""

_STATE: Final = "progress"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a command has come.

    Attributes:
        done: How much is done.
        total: How much there is to do; ``None`` where that is not known.
        note: What the command says of it.
        at: When it has said so, in seconds since the epoch.
    """

    done: float
    total: float | None = None
    note: str | None = None
    at: float = 0.0

    @property
    def fraction(self) -> float | None:
        """How much of the total is done, from 0 to 1; ``None`` where the total is not known."""
        if self.total is None:
            return None
        return min(self.done / self.total, 1.0) if self.total else 1.0

    @property
    def is_complete(self) -> bool:
        """Whether all is done."""
        return self.done == self.total


def checked_progress(done: float, total: float | None, note: str | None, at: float) -> Progress:
    """Make the progress that a command says it has made.

    Raises:
        ConfigurationError: ``done`` or ``total`` is no number from 0 to 2**53, or ``note`` no text.
    """
    if note is not None:
        if not isinstance(note, str):
            raise ConfigurationError(f"the note of a progress must be a text, not {note!r}")
        note = cut_middle(note, MAX_NOTE)
    return Progress(_number("done", done), None if total is None else _number("total", total), note, at)


def _number(name: str, value: float) -> float:
    if type(value) is int and 0 <= value <= MAX_NUMBER:
        return value
    check_number(f"{name} of a progress", value, 0, MAX_NUMBER)
    # No serializer need know of the subclasses that other libraries have.
    return int(value) if isinstance(value, int) else float(value)


def progress_key(task_id: str) -> str:
    """The key of a call's progress in its result store."""
    return f"progress:{task_id}"


def encode_progress(serializer: Serializer, task_id: str, progress: Progress) -> bytes:
    """Write a progress, as a result is written: bound to its call, and signed by a serializer that signs."""
    header = encode_header({"id": task_id, "state": _STATE, "ser": serializer.name})
    note = None if progress.note is None else escape_surrogates(progress.note)
    value = {"done": progress.done, "total": progress.total, "note": note, "at": progress.at}
    return header + serializer.encode(value, header)


def decode_progress(accepted: Mapping[str, Serializer], task_id: str, data: bytes) -> Progress:
    """Read what :func:`encode_progress` has written.

    Raises:
        DecodeError: The bytes are something else, belong to another call, or are of a serializer not accepted here.
    """
    header, encoded, body = unpack(data)
    if header.get("id") != task_id or header.get("state") != _STATE:
        raise DecodeError(f"what is stored as the progress of {task_id} is something else")
    serializer = accepted.get(str(header.get("ser")))
    if serializer is None:
        names = ", ".join(sorted(accepted))
        raise DecodeError(f"the progress is written with {header.get('ser')!r} and only {names} is accepted here")
    value = serializer.decode_within(body, encoded, MAX_SIZE)
    try:
        return Progress(value["done"], value["total"], value["note"], value["at"])
    except (TypeError, LookupError) as error:
        raise DecodeError(f"the progress of {task_id} is damaged: {error!r}") from error


def keeps_progress(store: BaseDataStore) -> bool:
    """Whether progress can be kept in a store: each of these capabilities promises that a value can be looked at."""
    return not store.capabilities.isdisjoint({Capability.TTL, Capability.LOCKS})

"""Revoked calls and revoked commands, kept in the task store.

A consumer has to ask for every command whether it was revoked. To keep that cheap, a counter says how many revocations
there are at all: while it is absent or 0, one look serves a whole batch of commands. The counter is raised before a
revocation is written and lowered after one was removed, so a crash in between makes it too high, which costs a few
needless looks, and never too low, which would run a revoked command.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from huey_core.backends.base import EmptyData
from huey_core.exceptions import Unsupported

if TYPE_CHECKING:
    from huey_core.backends.base import BaseDataStore
    from huey_core.commands.base import QueueCommand

__all__ = ["Revocations"]

_COUNTER: Final = "revocations"


def _call_key(task_id: str) -> str:
    return f"revoked-call:{task_id}"


def _command_key(command_name: str) -> str:
    return f"revoked-command:{command_name}"


class Revocations:
    """The revocations of one invoker.

    Args:
        store: The task store. It must offer ``peek`` and ``increment``.
    """

    def __init__(self, store: BaseDataStore) -> None:
        self._store = store

    def revoke_call(self, task_id: str) -> None:
        """Keep one call from running."""
        self._add(_call_key(task_id), {"once": True})

    def revoke_command(self, command_name: str, until: float | None, once: bool) -> None:
        """Keep every call of a command from running: until a time, or only the next one, or until restored."""
        self._add(_command_key(command_name), {"until": until, "once": once})

    def restore_call(self, task_id: str) -> bool:
        """Forget the revocation of a call, and say whether there was one."""
        return self._remove(_call_key(task_id))

    def restore_command(self, command_name: str) -> bool:
        """Forget the revocation of a command, and say whether there was one."""
        return self._remove(_command_key(command_name))

    def is_call_revoked(self, task_id: str) -> bool:
        """Whether this call was revoked by itself."""
        return self._store.peek(_call_key(task_id)) is not EmptyData

    def is_command_revoked(self, command_name: str, now: float) -> bool:
        """Whether every call of this command is revoked at ``now`` (seconds since the epoch)."""
        value = self._store.peek(_command_key(command_name))
        return value is not EmptyData and _holds(value, now)

    def any(self) -> bool:
        """Whether there may be a revocation at all: one look, for a whole batch of commands."""
        count = self._store.peek(_COUNTER)
        return count is not EmptyData and int(count) > 0

    def take(self, command: QueueCommand, now: float) -> bool:
        """Say whether this command must not run now; a revocation that was meant for one run is used up by that."""
        call_key, command_key = _call_key(command.task_id), _command_key(command.command_name)
        for_call, for_command = self._store.peek_many([call_key, command_key])
        if for_call is not EmptyData:
            self._remove(call_key)
            return True
        if for_command is EmptyData:
            return False
        held = _holds(for_command, now)
        if not held or json.loads(for_command)["once"]:
            # Of several consumers that get here together, only the one that removed it used it up.
            return self._remove(command_key) and held
        return True

    def _add(self, key: str, value: dict[str, object]) -> None:
        encoded = json.dumps(value).encode()
        self._store.increment(_COUNTER)
        try:
            created = self._store.put_if_absent(key, encoded)
        except Unsupported:
            self._store.increment(_COUNTER, -1)
            raise
        if not created:
            self._store.put(key, encoded)
            self._store.increment(_COUNTER, -1)

    def _remove(self, key: str) -> bool:
        removed = self._store.delete(key)
        if removed:
            self._store.increment(_COUNTER, -1)
        return removed


def _holds(value: bytes, now: float) -> bool:
    until = json.loads(value).get("until")
    return until is None or now < until

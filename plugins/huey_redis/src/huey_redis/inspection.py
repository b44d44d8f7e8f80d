"""Rows of the inspecting scripts, as an operator sees them."""

from __future__ import annotations

import json
from typing import Final

from huey_core.backends.leased import State, StoredMessage

__all__ = ["PRIORITY_SPAN", "attempt_of", "describe_death", "stored_message"]

PRIORITY_SPAN: Final = 2**41
"""How far the ranks of two neighbouring priorities are apart; room for that many messages in the life of a queue."""


def attempt_of(receipt: str) -> int:
    """Read the number of the delivery out of a receipt, ``claim:attempt:rank``."""
    return int(receipt.split(":", 2)[1])


def describe_death(reason: str, detail: str) -> str:
    """Write what the server keeps about a dead message."""
    # In ASCII, because a traceback can contain what cannot be encoded: file names with bytes that are not UTF-8.
    return json.dumps({"reason": reason, "detail": detail})


def stored_message(row: list[bytes]) -> StoredMessage:
    """Read a row: id, state, score, data, run, why. See ``lua/prelude.lua``."""
    message_id, state_name, score, data, run, why = row
    state = State(state_name.decode())
    _, attempt, rank = run.decode().split(":", 2) if run else ("", "0", score.decode())
    death = json.loads(why) if why else {}
    return StoredMessage(
        message_id=message_id.decode(),
        data=data,
        state=state,
        priority=-(int(rank) // PRIORITY_SPAN),
        attempt=int(attempt),
        due=None if state is State.READY else float(score) / 1000,
        reason=death.get("reason", ""),
        detail=death.get("detail", ""),
    )

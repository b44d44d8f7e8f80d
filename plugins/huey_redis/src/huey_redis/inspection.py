"""Rows of the inspecting scripts, as an operator sees them."""

from __future__ import annotations

import json
from typing import Final

from huey_core.backends import State, StoredMessage

__all__ = ["PRIORITY_SPAN", "attempt_of", "describe_death", "stored_message"]

PRIORITY_SPAN: Final = 2**41
"""How far the ranks of two neighbouring priorities are apart; room for that many messages in the life of a queue."""


def attempt_of(receipt: str) -> int:
    """Read the number of the delivery out of a receipt, ``claim:attempt:rank``."""
    return int(receipt.split(":", 2)[1])


def describe_death(reason: str, detail: str) -> str:
    """Write what the server keeps about a dead message."""
    return json.dumps({"reason": reason, "detail": detail})


def stored_message(row: list[bytes]) -> StoredMessage:
    """Read a row: id, state, score, data, run, why. See ``lua/prelude.lua``."""
    message_id, state_name, score, data, run, why = row
    state = State(state_name.decode())
    # What is ready is kept under its rank. Another message can lack one where the server evicts keys.
    unknown = ("", "0", score.decode() if state is State.READY else "0")
    _, attempt, rank = run.decode().split(":", 3)[:3] if run else unknown
    death = json.loads(why) if why else {}
    return StoredMessage(
        message_id=message_id.decode(),
        data=data,
        state=state,
        priority=-(int(rank) // PRIORITY_SPAN),
        attempt=int(attempt),
        due=None if state == State.READY else float(score) / 1000,
        reason=death.get("reason", ""),
        detail=death.get("detail", ""),
    )

"""Rows of the inspecting scripts, as an operator sees them."""

from __future__ import annotations

import json
from typing import Any, Final

from huey_core.backends import Record, State, StoredMessage

__all__ = ["PRIORITY_SPAN", "attempt_of", "describe_death", "record", "stored_message"]

PRIORITY_SPAN: Final = 2**41
"""How far the ranks of two neighbouring priorities are apart; room for that many messages in the life of a queue."""


def attempt_of(receipt: str) -> int:
    """Read the number of the delivery out of a receipt, ``claim:attempt:rank``."""
    return int(receipt.split(":", 2)[1])


def describe_death(reason: str, detail: str) -> str:
    """Write what the server keeps about a dead message."""
    return json.dumps({"reason": reason, "detail": detail})


def stored_message(row: list[bytes]) -> StoredMessage:
    """Read a row: id, state, score, data, run, why, claim, its time. See ``lua/rows.lua``."""
    facts, _ = _read(row)
    return StoredMessage(**facts)


def record(row: list[bytes]) -> Record:
    """Read all that a row says; see :func:`stored_message`."""
    facts, rank = _read(row)
    *_, claim, left = row
    return Record(
        **facts,
        rank=rank,
        unique_key=claim[1:].decode() if claim else None,
        unique_for=int(left) / 1000 if left else None,
    )


def _read(row: list[bytes]) -> tuple[dict[str, Any], int]:
    """Return the attributes of a stored message, and its rank."""
    message_id, state_name, score, data, run, why, *_ = row
    state = State(state_name.decode())
    # What is ready is kept under its rank. Another message can lack one where the server evicts keys.
    _, attempt, rank_text = run.split(b":", 3)[:3] if run else (b"", b"0", score if state is State.READY else b"0")
    rank = int(rank_text)
    death = json.loads(why) if why else {}
    facts = {
        "message_id": message_id.decode(),
        "data": data,
        "state": state,
        "priority": -(rank // PRIORITY_SPAN),
        "attempt": int(attempt),
        "due": None if state == State.READY else float(score) / 1000,
        "reason": death.get("reason", ""),
        "detail": death.get("detail", ""),
    }
    return facts, rank

"""Words for the log and for operators: a number of things, and an error in one line."""

from __future__ import annotations

from huey_core.text import error_line

__all__ = ["counted", "error_line"]


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Write how many there are of something: ``1 message``, ``2 messages``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"

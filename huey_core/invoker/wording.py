"""Words for the log and for operators: an error in one line, and a number of things."""

from __future__ import annotations

from typing import Final

from huey_core.invoker.stored_result import error_text

__all__ = ["counted", "error_line"]

_LONGEST: Final = 500


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Write how many there are of something: ``1 message``, ``2 messages``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def error_line(error: BaseException) -> str:
    """Write the type of an error and the first line of what it says, as a traceback ends.

    Its ``repr`` will not do: a driver may put a category there, and the reason into the text alone.
    """
    lines = error_text(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:_LONGEST]}" if lines else type(error).__name__

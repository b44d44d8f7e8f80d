"""What is due of one schedule at one moment, of which some may have been missed."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from huey_core.commands.schedules import ByMinute, due_between

if TYPE_CHECKING:
    from huey_core.commands.schedules import Schedule

__all__ = ["LONGEST_CATCH_UP", "MOST_MADE_UP", "RARE_CATCH_UP", "due_now"]

PRESENT: Final = 60.0
"""Seconds after which a due time that nobody has dealt with is one that was missed."""

LONGEST_CATCH_UP: Final = 24 * 3600.0
"""The most seconds to look back for due times that were missed."""

RARE_CATCH_UP: Final = 30 * 24 * 3600.0
"""The same where nothing was due in that time: of what is due so seldom, the latest due time is made up for."""

MOST_MADE_UP: Final = 24 * 60
"""The most due times of one schedule that are dealt with at one moment: the latest ones."""


def due_now(
    schedule: Schedule, missed: str, now: float, dealt_with: float | None, known: float | None = None
) -> list[float]:
    """The due times to deal with, in their order; all times are in seconds since the epoch.

    The latest one is due in any case, unless it was missed: later than ``dealt_with`` and within the last minute. What
    ``missed`` says decides about the others.

    Args:
        schedule: The schedule.
        missed: ``"skip"`` leaves the others out, ``"once"`` takes the latest of them, ``"all"`` takes all.
        now: The moment.
        dealt_with: Until when the caller has dealt with this schedule; ``None``: it never has.
        known: Until when anybody has, as far as is known.

    Raises:
        Exception: What the schedule raises.
    """
    present = now - PRESENT if dealt_with is None else max(dealt_with, now - PRESENT)
    ends = [end for end in (dealt_with, known) if end is not None]
    # Of what was due before anybody has ever looked, nothing was missed.
    missing = max(ends) if ends and missed != "skip" else now
    begin = max(min(present, missing), now - LONGEST_CATCH_UP)
    due = deque(due_between(schedule, begin, now), maxlen=MOST_MADE_UP)
    if not due and missing < begin and not isinstance(schedule, ByMinute):
        return _latest(schedule, max(missing, now - RARE_CATCH_UP), begin)
    latest = [due.pop()] if due and due[-1] > present else []
    others = [each for each in due if each > missing]
    return (others[-1:] if missed == "once" else others) + latest


def _latest(schedule: Schedule, after: float, until: float) -> list[float]:
    """The latest due time between two, if there is one, looked for from the end, so that few others are found."""
    length = LONGEST_CATCH_UP
    while after < until:
        begin = max(after, until - length)
        if due := deque(due_between(schedule, begin, until), maxlen=1):
            return list(due)
        until, length = begin, 2 * length
    return []

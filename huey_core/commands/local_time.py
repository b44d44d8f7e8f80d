"""From a ``datetime`` that somebody wrote to the instant that is meant, and what happens when the clocks change.

A time that a change of the clocks leaves out or repeats is read as PEP 495 has it, save that it is never read as an
earlier instant than was written: a command that runs late does less harm than one that runs early.
"""

from __future__ import annotations

import datetime as dt

from huey_core.exceptions import ConfigurationError

__all__ = ["to_epoch"]


def to_epoch(eta: dt.datetime, convert_utc: bool = True, *, name: str = "eta") -> float:
    """Return the instant of an ``eta`` in seconds since the epoch.

    A naive ``eta`` is local time:

    * one that comes twice, because the clocks go back, is the first of the two, or the second with ``fold=1``;
    * one that never comes, because the clocks go forward, is moved forward by the length of the gap, so that where
      02:00 is followed by 03:00, 02:30 means 03:30.

    Args:
        eta: The time. One that is aware is taken as it is.
        convert_utc: Whether a naive ``eta`` is to be converted from local time to UTC; with ``False`` it is UTC
            already.
        name: What to call it in an error.

    Raises:
        ConfigurationError: It is not a ``datetime``, or is so close to the first or the last year that it is no time
            elsewhere.
    """
    if not isinstance(eta, dt.datetime):
        raise ConfigurationError(
            f"{name} must be a datetime.datetime, not {type(eta).__name__}; so many seconds from now are "
            "datetime.datetime.now() + datetime.timedelta(seconds=...)"
        )
    if eta.tzinfo is None and not convert_utc:
        eta = eta.replace(tzinfo=dt.UTC)
    try:
        # In a gap fold=1 is the earlier instant and elsewhere never, so the later of the two is the rule above.
        return max(eta.timestamp(), eta.replace(fold=0).timestamp())
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"{name} {eta.isoformat()} cannot be converted to UTC: {error}") from error

"""What a queue may be called, wherever somebody names one: in a URL, in the options of a command, in code."""

from __future__ import annotations

from typing import Final

from huey_core.exceptions import ConfigurationError
from huey_core.unicode import check_unicode

__all__ = ["STATE_PREFIX", "check_queue_name"]

STATE_PREFIX: Final = "huey-state:"
"""What the name of a store for the consumer's own state begins with; the queue's name follows."""


def check_queue_name(what: str, name: str) -> None:
    """Refuse what no queue can be called.

    A queue and its result store have one name, and a store of results that is also the store of state would mix the two
    up.

    Args:
        what: What the name is given by, for the error.
        name: The name: any text that is not empty, is valid Unicode and does not begin as the names of state do.

    Raises:
        ConfigurationError: It is another. The message says why.
    """
    check_unicode(what, name)
    if not name:
        raise ConfigurationError(f"{what} must not be empty")
    if name.startswith(STATE_PREFIX):
        raise ConfigurationError(f"{what} must not begin with {STATE_PREFIX!r}: such names are kept for state")

"""The texts by which the next page of a list is asked for: which list it is, and the last name on the page before."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from huey_core.exceptions import ConfigurationError

__all__ = ["read_cursor", "write_cursor"]

SEPARATOR: Final = ":"


def write_cursor(kind: str, last: str) -> str:
    """Write the cursor of the page after a name.

    Args:
        kind: Which list it is, without a colon.
        last: The last name on the page, any text that can be stored.
    """
    return base64.urlsafe_b64encode(f"{kind}{SEPARATOR}{last}".encode()).decode()


def read_cursor(kind: str, cursor: str) -> str:
    """Return the last name on the page before.

    Raises:
        ConfigurationError: The cursor is not one of this kind.
    """
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    said, separator, last = text.partition(SEPARATOR)
    if said != kind or not separator:
        raise ConfigurationError(
            f"{cursor!r:.100} is no cursor for {kind} of a queue in MongoDB; give the one of the page before, or none"
        )
    return last

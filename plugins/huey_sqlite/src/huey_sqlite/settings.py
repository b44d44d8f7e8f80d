"""What a URL, or the arguments of a queue or a data store, say about the file and how it is used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from huey_core.exceptions import ConfigurationError

__all__ = ["LARGEST_MESSAGE", "SYNCHRONOUS", "Settings", "parse_synchronous"]

SYNCHRONOUS: Final = ("normal", "full")
"""How a commit reaches the disk. SQLite's ``off`` is not offered: after a power cut the file could be unreadable."""

LARGEST_MESSAGE: Final = 900_000_000
"""Bytes. SQLite takes a row of 1,000,000,000 bytes; the rest is room for what else is in the row."""

_LONGEST_TIMEOUT: Final = 86_400
"""Seconds. SQLite counts them in milliseconds and 31 bits."""


def parse_synchronous(text: str) -> str:
    """Read ``normal`` or ``full``.

    Raises:
        ValueError: It is anything else.
    """
    if text.lower() not in SYNCHRONOUS:
        raise ValueError("expected normal or full")
    return text.lower()


@dataclass(frozen=True)
class Settings:
    """How a file is used.

    Attributes:
        path: The file, as text or as a path object. It is made absolute here, so that a later change of directory does
            not lead to another file.
        synchronous: One of :data:`SYNCHRONOUS`.
        busy_timeout: Seconds to wait while another process writes.
        poll_interval: Seconds between two looks for what other processes wrote, while somebody waits.
        max_message_size: The largest message accepted, in bytes.

    Raises:
        ConfigurationError: A value cannot be used.
    """

    path: str
    synchronous: str = "normal"
    busy_timeout: float = 5.0
    poll_interval: float = 0.005
    max_message_size: int = 512 * 2**20

    def __post_init__(self) -> None:
        path = os.fspath(self.path)
        if "\0" in path:
            raise ConfigurationError("the path of an SQLite file cannot contain a NUL")
        # The real path is how two objects recognise that they use one file.
        object.__setattr__(self, "path", os.path.realpath(path))
        if self.synchronous not in SYNCHRONOUS:
            raise ConfigurationError(f"synchronous is one of {', '.join(SYNCHRONOUS)}, not {self.synchronous!r}")
        if not 0 <= self.busy_timeout <= _LONGEST_TIMEOUT:
            raise ConfigurationError(f"busy_timeout must be from 0 to {_LONGEST_TIMEOUT:,} seconds")
        if self.poll_interval <= 0:
            raise ConfigurationError("poll_interval must be more than 0 seconds")
        if not 1 <= self.max_message_size <= LARGEST_MESSAGE:
            raise ConfigurationError(
                f"max_message_size must be from 1 to {LARGEST_MESSAGE:,} bytes, the most that fits into a row of SQLite"
            )

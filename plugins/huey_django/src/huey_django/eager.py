"""The queue of a project that has none, because it runs every command at once."""

from __future__ import annotations

from huey_core.backends import BaseQueue, Capability
from huey_core.exceptions import QueueReadException, QueueWriteException

__all__ = ["EagerQueue"]

_NO_QUEUE = (
    "no queue is configured: with ALWAYS_EAGER alone, commands only run at once; set HUEY or HUEY_CONFIG['QUEUE']"
)


class EagerQueue(BaseQueue):
    """Refuses every message.

    It claims every capability, so that with ``ALWAYS_EAGER`` the options of commands are not judged by a queue that
    they are not meant for.
    """

    capabilities = frozenset(Capability)

    def write(self, data: bytes) -> None:
        """Refuse the message."""
        raise QueueWriteException(_NO_QUEUE)

    def read(self) -> bytes | None:
        """Refuse to wait for messages that nobody can write."""
        raise QueueReadException(_NO_QUEUE)

    def flush(self) -> None:
        """Do nothing: there are no messages."""

    def __len__(self) -> int:
        return 0

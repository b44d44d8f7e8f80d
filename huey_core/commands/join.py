"""A join: a command that is enqueued when the last of a group of commands has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from huey_core.backends.outcomes import DEFAULT_GROUP_TTL
from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from huey_core.commands.base import QueueCommand

__all__ = ["Join"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """What an implementation of ``huey_follow_ups`` returns for a command that is a member of a group.

    It is written in the same step as the end of that command. With the last member the queue writes ``then``, exactly
    once. All members of a group say the same of ``of`` and ``then``, its identifier included.

    Attributes:
        group: The group's id, a text that no other group has.
        member: Which member of the group the command is, any text. To note one twice changes nothing.
        of: How many members there are.
        then: The command that follows the group.
        ttl: Seconds without another member after which the group is forgotten, and ``then`` is not enqueued.

    Raises:
        ConfigurationError: There are no members, or no time.
    """

    group: str
    member: str
    of: int
    then: QueueCommand
    ttl: float = DEFAULT_GROUP_TTL

    def __post_init__(self) -> None:
        if self.of < 1 or not 0 < self.ttl < float("inf"):
            raise ConfigurationError(f"a join is of at least one member and kept for a time, not {self!r}")

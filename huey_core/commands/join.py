"""A join: a command that is enqueued when the last of a group of commands has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from huey_core.backends.outcomes import DEFAULT_GROUP_TTL
from huey_core.commands.base import QueueCommand
from huey_core.commands.option_checks import MAX_SECONDS
from huey_core.exceptions import ConfigurationError
from huey_core.numbers import check_number
from huey_core.unicode import has_surrogate

__all__ = ["Join"]

_MOST_MEMBERS: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """What an implementation of ``huey_follow_ups`` returns for a command that is a member of a group.

    It is written in the same step as the end of that command. With the last member ``then`` is written, exactly once.
    The group is kept in the queue of ``then``, so its members may be in several queues at one place. All members of a
    group say the same of ``of`` and ``then``; where they do not, the last member counts.

    Attributes:
        group: The group's id, a text that no other group has.
        member: Which member of the group the command is, any text. To note one twice changes nothing.
        of: How many members there are.
        then: The command that follows the group.
        ttl: Seconds without another member after which the group is forgotten, and ``then`` is not enqueued.

    Raises:
        ConfigurationError: One of these is of another type, or out of what every queue can write.
    """

    group: str
    member: str
    of: int
    then: QueueCommand
    ttl: float = DEFAULT_GROUP_TTL

    def __post_init__(self) -> None:
        check_number("of", self.of, 1, _MOST_MEMBERS, whole=True)
        check_number("ttl", self.ttl, 0.001, MAX_SECONDS, what="a number of seconds")
        for name, text in (("group", self.group), ("member", self.member)):
            if not isinstance(text, str) or has_surrogate(text):
                raise ConfigurationError(f"{name} must be a text of valid Unicode, not {text!r}")
        if not isinstance(self.then, QueueCommand):
            raise ConfigurationError(f"then must be the command of a call, function.command(...), not {self.then!r}")

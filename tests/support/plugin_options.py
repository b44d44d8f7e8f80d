"""An option of a plugin that is not installed, as a stranger would declare it."""

from __future__ import annotations

from huey_core import hookimpl
from huey_core.commands import CommandOption, optional, seconds

__all__ = ["GIVE_UP_AFTER", "GiveUp"]

GIVE_UP_AFTER = CommandOption(
    "give_up_after", optional(seconds), None, travels=True, help="Seconds after the call at which no retry begins."
)


class GiveUp:
    """Offers options; that of this module unless it is given others. Notes the values that runs have of it."""

    def __init__(self, *options: CommandOption) -> None:
        self.options = options or (GIVE_UP_AFTER,)
        self.seen = []

    @hookimpl
    def huey_command_options(self):
        return list(self.options)

    @hookimpl
    def huey_before_execute(self, command):
        self.seen.append(command.options[GIVE_UP_AFTER])

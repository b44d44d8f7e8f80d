"""One option of a command, as core and plugins declare theirs."""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from huey_core.backends.capabilities import Capability
    from huey_core.commands.option_checks import Check
    from huey_core.workers.abilities import PoolAbility

__all__ = ["PARAMETERS", "WHEN_TO_RUN", "CommandOption"]

WHEN_TO_RUN: Final = {"delay": "delay", "eta": "eta", "countdown": "delay"}
"""What says elsewhere when a call is to run, and what ``.schedule`` calls it."""

PARAMETERS: Final = frozenset({"invoker", "name", "missed", "overlap", "validate_datetime"})
"""What the decorators take for themselves."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CommandOption(Generic[T]):
    """One option that a command may have; ``command.options[OPTION]`` is its value.

    ::

        GIVE_UP_AFTER = CommandOption(
            "give_up_after",
            optional(seconds),
            None,
            travels=True,
            help="Seconds after the call at which no retry begins any more.",
        )

    Attributes:
        name: What it is called where it is given: an identifier in ASCII.
        check: Takes the name and what a user gave; returns that as it is kept, or raises a ``ConfigurationError`` that
            says what is wrong. What it returns, it takes as well. Of an option that travels, it returns what JSON has,
            and takes a list where it returned a tuple.
        default: The value of a command that does not say.
        travels: Whether the consumer reads it: a message then carries it when it was given for one call.
        needs: What the queue, or the consumer's worker pool, must be able to do for a command that has another value
            than the default: it is refused when it is decorated, or when the consumer starts. Of several abilities of
            a pool, any one will do.
        help: One sentence on what it does, with the unit of a duration.

    Raises:
        ConfigurationError: It cannot have this name, or says nothing of what it does.
    """

    name: str
    check: Check[T]
    default: T
    travels: bool = False
    needs: Capability | PoolAbility | tuple[PoolAbility, ...] | None = None
    help: str = field(kw_only=True)

    @property
    def needs_in_words(self) -> str | None:
        """The names of what it needs."""
        if self.needs is None:
            return None
        needed = self.needs if isinstance(self.needs, tuple) else (self.needs,)
        return " or ".join(one.value for one in needed)

    def __post_init__(self) -> None:
        name: Any = self.name
        if not (isinstance(name, str) and name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
            raise ConfigurationError(f"an option is called by an identifier in ASCII, not {name!r}")
        if name in WHEN_TO_RUN or name in PARAMETERS:
            taken_by = ".schedule(...)" if name in WHEN_TO_RUN else "the decorators"
            raise ConfigurationError(f"no option can be called {name!r}, which is a parameter of {taken_by}")
        if not self.help:
            raise ConfigurationError(f"the option {name!r} says nothing of what it does: help='...'")

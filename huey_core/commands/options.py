"""What a command asks of the queue and the consumer: retries, priority, expiry, uniqueness, results.

The same options are given to a decorator, for every call, and to ``.using(...)``, for one call. Those that only the
consumer reads travel in the message when they were given for one call, and stay in the code otherwise, so that a
deployment can change them for messages that wait already.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict

from huey_core.backends.capabilities import Capability
from huey_core.backends.messages import MAX_PRIORITY
from huey_core.commands.option_checks import (
    ExceptionTypes,
    Seconds,
    UniqueKey,
    exception_names,
    find_exceptions,
    flag,
    lasting,
    number,
    optional,
    seconds,
    unique_key,
    whole_number,
)
from huey_core.exceptions import ConfigurationError
from huey_core.names import dotted_name
from huey_core.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "TRAVELLING",
    "WHEN_TO_RUN",
    "CommandOptions",
    "GivenOptions",
    "OtherOptions",
]

WHEN_TO_RUN: Final = {"delay": "delay", "eta": "eta", "countdown": "delay"}
"""What says elsewhere when a call is to run, and what ``.schedule`` calls it."""


class OtherOptions(TypedDict, total=False):
    """The options as a user writes them, without those that :func:`queue_command` takes by position as well."""

    retry_backoff: float
    retry_max_delay: Seconds | None
    retry_jitter: float
    retry_on: ExceptionTypes
    give_up_on: ExceptionTypes
    priority: int
    expires: Seconds | None
    unique_key: UniqueKey | None
    unique_for: Seconds | None
    result_ttl: Seconds | None
    store_result: bool | None
    keep_failed: bool


class GivenOptions(OtherOptions, total=False):
    """All options, as a user writes them."""

    retries: int
    retry_delay: Seconds


_DEFAULT_RETRY_MAX_DELAY: Final = 3600.0


def _option(default: Any, check: Callable[[str, Any], Any], *, travels: bool = False) -> Any:
    """Declare an option; ``check(name, value)`` returns a value that a user wrote as it is kept, or refuses it.

    It travels if the consumer reads it: a message then carries it when it was given for one call.
    """
    return field(default=default, metadata={"check": check, "travels": travels})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions:
    """The options of a command. Durations are in seconds.

    Attributes:
        retries: How many more times a command that raised is tried.
        retry_delay: Seconds before the first retry.
        retry_backoff: Each further delay is the one before, times this; 1 keeps the delay constant.
        retry_max_delay: No delay is longer than this, jitter included; ``None``: than an hour, or than ``retry_delay``
            if that is longer.
        retry_jitter: Spreads each delay at random by this fraction to either side, between 0 and 1.
        retry_on: Only exceptions of these types (or a subclass) are retried; empty means any ``Exception``,
            which ``SystemExit`` is not.
        give_up_on: Exceptions of these types (or a subclass) are never retried.
        priority: Higher runs first, from -1000 to 1000.
        expires: Seconds after the call, or after the time for which it is scheduled, at which a command that has not
            started is dropped, a retry as well; ``None`` never.
        unique_key: While a command of this key is live, another call of it writes nothing. A text in which
            ``{name}`` stands for an argument, or a function of the call's arguments that returns a text. For a command
            that was written as a class, the arguments are the items of its data, or the data itself under that name.
        unique_for: Seconds for which the key stays taken, whatever becomes of the command; ``None`` until it is
            settled. Without a ``unique_key``, all the arguments are the key.
        result_ttl: Seconds for which the result is kept; ``None`` keeps the invoker's setting.
        store_result: Whether the result is stored; ``None`` means yes. ``False`` leaves no more than that the command
            has ended.
        keep_failed: Whether a command that failed for good is kept as a dead letter, to be looked at and replayed.
    """

    retries: int = _option(0, whole_number(0), travels=True)
    retry_delay: float = _option(0.0, seconds, travels=True)
    retry_backoff: float = _option(1.0, number(1, 100), travels=True)
    retry_max_delay: float | None = _option(None, optional(seconds), travels=True)
    retry_jitter: float = _option(0.0, number(0, 1), travels=True)
    retry_on: tuple[str, ...] = _option((), exception_names, travels=True)
    give_up_on: tuple[str, ...] = _option((), exception_names, travels=True)
    priority: int = _option(0, whole_number(-MAX_PRIORITY, MAX_PRIORITY))
    expires: float | None = _option(None, optional(seconds))
    unique_key: UniqueKey | None = _option(None, optional(unique_key))  # noqa: RUF009 - which returns a field
    unique_for: float | None = _option(None, optional(lasting))
    result_ttl: float | None = _option(None, optional(lasting), travels=True)
    store_result: bool | None = _option(None, optional(flag), travels=True)
    keep_failed: bool = _option(True, flag, travels=True)

    @classmethod
    def build(cls, /, **given: Any) -> Self:
        """Check and normalize options as a user writes them.

        Raises:
            ConfigurationError: An option is unknown (the closest name is offered), its value cannot be used, or two
                contradict each other.
        """
        built = cls(**cls._checked(find_exceptions(given)))
        built.check_together()
        return built

    def override(self, /, **given: Any) -> Self:
        """A copy with some options replaced; see :meth:`build`.

        Whether the options fit together is for :meth:`check_together` to say: what waits in a queue must be readable
        after a deployment, too, that has changed the others.
        """
        return replace(self, **self._checked(given))

    def check_together(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            ConfigurationError: The message names both.
        """
        if self.retry_max_delay is not None and self.retry_delay > self.retry_max_delay:
            raise ConfigurationError(
                f"retry_delay is {self.retry_delay:g} s and retry_max_delay is {self.retry_max_delay:g} s, but no "
                "delay may be longer than that"
            )

    @classmethod
    def _checked(cls, given: dict[str, Any]) -> dict[str, Any]:
        known = {option.name: option for option in fields(cls)}
        for name in given:
            if name not in known:
                if name in WHEN_TO_RUN:
                    raise ConfigurationError(
                        f"a command has no option {name!r}; when a call is to run is said by "
                        f".schedule((...), {WHEN_TO_RUN[name]}=...)"
                    )
                hint = did_you_mean(name, known, f"the options are {', '.join(sorted(known))}")
                raise ConfigurationError(f"a command has no option {name!r}{hint}")
        return {name: known[name].metadata["check"](name, value) for name, value in given.items()}

    def needs(self) -> dict[Capability, str]:
        """The capabilities that these options ask of the queue, each with the option that asks."""
        needed = {}
        if self.priority:
            needed[Capability.PRIORITY] = "priority"
        if self.unique_for is not None:
            needed[Capability.UNIQUE] = "unique_for"
        if self.unique_key is not None:
            needed[Capability.UNIQUE] = "unique_key"
        return needed

    def may_retry(self, error: BaseException) -> bool:
        """Whether the type of ``error`` is one that these options retry."""
        names = {dotted_name(kind) for kind in type(error).__mro__}
        if not names.isdisjoint(self.give_up_on):
            return False
        return not names.isdisjoint(self.retry_on) if self.retry_on else isinstance(error, Exception)

    def delay_before_retry(self, done: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """Seconds to wait before the next retry, after ``done`` earlier ones."""
        longest = self.retry_max_delay
        if longest is None:
            longest = max(self.retry_delay, _DEFAULT_RETRY_MAX_DELAY)
        try:
            delay = min(self.retry_delay * self.retry_backoff**done, longest)
        except OverflowError:
            delay = longest if self.retry_delay else 0.0
        if self.retry_jitter:
            delay *= uniform(1 - self.retry_jitter, 1 + self.retry_jitter)
        return min(delay, longest)


TRAVELLING: Final = tuple(option.name for option in fields(CommandOptions) if option.metadata["travels"])
"""The options that the consumer reads, and that a message carries when they were given for one call."""

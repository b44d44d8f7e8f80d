"""What a command asks of the queue, the consumer and plugins: retries, priority, expiry, uniqueness, results.

The same options are given to a decorator, for every call, and to ``.using(...)``, for one call. Those that only the
consumer reads travel in the message when they were given for one call, and stay in the code otherwise, so that a
deployment can change them for messages that wait already.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict, TypeVar

from huey_core.commands.core_options import CORE_OPTIONS
from huey_core.commands.option import WHEN_TO_RUN, CommandOption
from huey_core.commands.option_checks import ExceptionTypes, Seconds, UniqueKey, find_exceptions
from huey_core.exceptions import CommandTimeout, ConfigurationError
from huey_core.names import dotted_name
from huey_core.text import closest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from huey_core.backends.capabilities import Capability
    from huey_core.workers.abilities import PoolAbility

__all__ = ["CommandOptions", "GivenOptions", "OptionTable", "OtherOptions", "default_table"]

T = TypeVar("T")


class OtherOptions(TypedDict, total=False):
    """The options as a user writes them, without those that :func:`queue_command` takes by position as well."""

    retry_backoff: float
    retry_max_delay: Seconds | None
    retry_jitter: float
    retry_on: ExceptionTypes
    give_up_on: ExceptionTypes
    priority: int
    queue: str | None
    expires: Seconds | None
    unique_key: UniqueKey | None
    unique_for: Seconds | None
    result_ttl: Seconds | None
    store_result: bool | None
    keep_failed: bool
    timeout: Seconds | None


class GivenOptions(OtherOptions, total=False):
    """All options, as a user writes them."""

    retries: int
    retry_delay: Seconds


_DEFAULT_RETRY_MAX_DELAY: Final = 3600.0
_NO_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType({})
_NEEDY: Final = [option for option in CORE_OPTIONS.values() if option.needs is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions:
    """The values of a command's options, as they are kept: durations in seconds, exceptions by their dotted names.

    That of any is ``options[OPTION]``, where ``OPTION`` is the :class:`CommandOption`. Core's are attributes too; what
    each does is said in :data:`~huey_core.commands.CORE_OPTIONS`.

    Attributes:
        extra: The options of plugins that were given, by name.
    """

    retries: int = CORE_OPTIONS["retries"].default
    retry_delay: float = CORE_OPTIONS["retry_delay"].default
    retry_backoff: float = CORE_OPTIONS["retry_backoff"].default
    retry_max_delay: float | None = CORE_OPTIONS["retry_max_delay"].default
    retry_jitter: float = CORE_OPTIONS["retry_jitter"].default
    retry_on: tuple[str, ...] = CORE_OPTIONS["retry_on"].default
    give_up_on: tuple[str, ...] = CORE_OPTIONS["give_up_on"].default
    priority: int = CORE_OPTIONS["priority"].default
    queue: str | None = CORE_OPTIONS["queue"].default
    expires: float | None = CORE_OPTIONS["expires"].default
    unique_key: UniqueKey | None = CORE_OPTIONS["unique_key"].default
    unique_for: float | None = CORE_OPTIONS["unique_for"].default
    result_ttl: float | None = CORE_OPTIONS["result_ttl"].default
    store_result: bool | None = CORE_OPTIONS["store_result"].default
    keep_failed: bool = CORE_OPTIONS["keep_failed"].default
    timeout: float | None = CORE_OPTIONS["timeout"].default
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def build(cls, /, **given: Any) -> CommandOptions:
        """Check options as a user writes them, those of installed plugins among them; see :meth:`OptionTable.build`."""
        return default_table.build(given)

    def override(self, /, **given: Any) -> Self:
        """A copy with some options replaced, which are checked as :meth:`OptionTable.check` does.

        Whether the options fit together is for :meth:`check_together` to say: what waits in a queue must be readable
        after a deployment, too, that has changed the others.
        """
        return self.with_values(default_table.check(given))

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """A copy with other values, which :meth:`OptionTable.check` has returned."""
        return replace(self, **_as_attributes(values, self.extra))

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

    def __getitem__(self, option: CommandOption[T]) -> T:
        """The value of an option: what was given, or else its default."""
        name = option.name
        return getattr(self, name) if name in CORE_OPTIONS else self.extra.get(name, option.default)  # type: ignore[no-any-return]

    def may_retry(self, error: BaseException) -> bool:
        """Whether the type of ``error`` is one that these options retry."""
        names = {dotted_name(kind) for kind in type(error).__mro__}
        if not names.isdisjoint(self.give_up_on):
            return False
        return not names.isdisjoint(self.retry_on) if self.retry_on else isinstance(error, Exception | CommandTimeout)

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


def _as_attributes(values: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of options with these values, beside other ones of plugins."""
    attributes = {name: value for name, value in values.items() if name in CORE_OPTIONS}
    if len(attributes) < len(values):
        given = {name: value for name, value in values.items() if name not in CORE_OPTIONS}
        attributes["extra"] = {**extra, **given}
    return attributes


class OptionTable:
    """The options that commands may have: core's, and those that plugins offer.

    Args:
        sources: Each returns options of plugins by name. They are asked, in this order, for what core does not have,
            and not before.
        known: The distribution that offers an option, by the option's name, to be suggested where it is not installed.
    """

    def __init__(
        self, *sources: Callable[[], Mapping[str, CommandOption[Any]]], known: Mapping[str, str] = _NO_OPTIONS
    ) -> None:
        self._sources = list(sources)
        self._known = known

    def add_source(self, source: Callable[[], Mapping[str, CommandOption[Any]]], known: Mapping[str, str]) -> None:
        """Ask one more source, after the others; see the class for the arguments."""
        self._sources.append(source)
        self._known = {**self._known, **known}

    def get(self, name: str) -> CommandOption[Any] | None:
        """The option of a name; ``None`` where neither core nor a plugin has it."""
        option = CORE_OPTIONS.get(name)
        if option is None:
            for source in self._sources:
                option = source().get(name)
                if option is not None:
                    break
        return option

    def find(self, name: str) -> CommandOption[Any]:
        """The option of a name.

        Raises:
            ConfigurationError: There is none. The message has the closest name, and what to install for it.
        """
        option = self.get(name)
        if option is None:
            raise ConfigurationError(f"a command has no option {name!r}; {self._advice(name)}")
        return option

    def names(self) -> set[str]:
        """The names of all options, which loads the plugins."""
        return {*CORE_OPTIONS, *(name for source in self._sources for name in source())}

    def check(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check values as a user writes them, and return them as they are kept.

        Raises:
            ConfigurationError: An option is unknown, or its value cannot be used.
        """
        return {name: self.find(name).check(name, value) for name, value in given.items()}

    def check_known(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Do what :meth:`check` does with the options that are known here, and leave out the others."""
        found = ((name, self.get(name), value) for name, value in given.items())
        return {name: option.check(name, value) for name, option, value in found if option is not None}

    def build(self, given: Mapping[str, Any]) -> CommandOptions:
        """Make the options of a command of what a user has written.

        Raises:
            ConfigurationError: An option is unknown, its value cannot be used, or two contradict each other.
        """
        built = CommandOptions(**_as_attributes(self.check(find_exceptions(given)), _NO_OPTIONS))
        built.check_together()
        return built

    def needs_of(
        self, options: CommandOptions
    ) -> Iterator[tuple[Capability | PoolAbility | tuple[PoolAbility, ...], str]]:
        """What a queue or a worker pool must be able to do for these options, each with the name of the one that asks.

        Of several abilities, any one will do.

        Raises:
            ConfigurationError: One is of a plugin that is not known here.
        """
        for option in chain(_NEEDY, map(self.find, options.extra)):
            if option.needs is not None and options[option] != option.default:
                yield option.needs, option.name

    def _advice(self, name: str) -> str:
        if name in WHEN_TO_RUN:
            return f"when a call is to run is said by .schedule((...), {WHEN_TO_RUN[name]}=...)"
        if name in self._known:
            return f"install the plugin that has it with: pip install {self._known[name]}"
        names = self.names()
        found = closest(name, {*names, *self._known})
        if found is None:
            return f"the options are {', '.join(sorted(names))}"
        if found not in names:
            return f"did you mean {found!r} (pip install {self._known[found]})?"
        return f"did you mean {found!r}?"


default_table: Final = OptionTable()
"""The options of core and of the installed plugins, for what is written where no invoker is known."""

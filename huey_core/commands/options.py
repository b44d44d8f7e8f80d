"""What a command asks of the queue and the consumer: retries, priority, expiry, uniqueness, results.

The same options are given to a decorator, for every call, and to ``.using(...)``, for one call. Those that only the
consumer reads travel in the message when they were given for one call, and stay in the code otherwise, so that a
deployment can change them for messages that wait already.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Self

from huey_core.backends.capabilities import Capability
from huey_core.backends.leased import MAX_PRIORITY
from huey_core.exceptions import ConfigurationError

__all__ = ["CommandOptions", "dotted_name"]

Seconds = float | int | timedelta
UniqueKey = str | Callable[..., str]


def dotted_name(thing: type | Callable[..., Any]) -> str:
    """The module and the qualified name of a class or function, joined by a dot.

    What is defined in the script that was started gets the name it has when it is imported, because that is how the
    consumer will find it: ``python shop/mail.py`` and ``import mail`` agree on ``mail.send``.
    """
    module = thing.__module__
    return f"{_name_of_script() if module == '__main__' else module}.{thing.__qualname__}"


def _name_of_script() -> str:
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    return "__main__" if file is None else Path(file).stem


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ConfigurationError(f"{name} must be a number of seconds or a timedelta, 0 or more, not {value!r}")
    return float(value)


def _exception_names(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        value = (value,)
    names = []
    for item in value:
        if isinstance(item, type) and issubclass(item, BaseException):
            names.append(dotted_name(item))
        elif isinstance(item, str) and item:
            names.append(item)
        else:
            raise ConfigurationError(f"{name} takes exception types or their dotted names, not {item!r}")
    return tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions:
    """The options of a command. Durations are in seconds.

    Attributes:
        retries: How many more times a command that raised is tried.
        retry_delay: Seconds before the first retry.
        retry_backoff: Each further delay is the one before, times this; 1 keeps the delay constant.
        retry_max_delay: No delay is longer than this, jitter included.
        retry_jitter: Spreads each delay at random by this fraction to either side, between 0 and 1.
        retry_on: Only exceptions of these types (or a subclass) are retried; empty means any ``Exception``.
        give_up_on: Exceptions of these types (or a subclass) are never retried.
        priority: Higher runs first, from -1000 to 1000.
        expires: Seconds after the call, or after the time for which it is scheduled, at which a command that has not
            started is dropped, a retry as well; ``None`` never.
        unique_key: While a command of this key is live, another call of it writes nothing. A text in which
            ``{name}`` stands for an argument, or a function of the call's arguments that returns a text. For a command
            that was written as a class, the arguments are the items of its data, or the data itself under that name.
        unique_for: Seconds for which the key stays taken, whatever becomes of the command; ``None`` until it is
            settled. Without a ``unique_key``, the ``repr()`` of the arguments is the key; that of a set differs
            between processes, so give a key where there is one.
        result_ttl: Seconds for which the result is kept; ``None`` keeps the invoker's setting.
        store_result: Whether the result is stored; ``None`` keeps the invoker's setting.
        keep_failed: Whether a command that failed for good is kept as a dead letter, to be looked at and replayed.
    """

    retries: int = 0
    retry_delay: float = 0.0
    retry_backoff: float = 1.0
    retry_max_delay: float = 3600.0
    retry_jitter: float = 0.0
    retry_on: tuple[str, ...] = ()
    give_up_on: tuple[str, ...] = ()
    priority: int = 0
    expires: float | None = None
    unique_key: UniqueKey | None = None
    unique_for: float | None = None
    result_ttl: float | None = None
    store_result: bool | None = None
    keep_failed: bool = True

    @classmethod
    def build(cls, **given: Any) -> Self:
        """Check and normalize options as a user writes them.

        Raises:
            ConfigurationError: An option is unknown (the closest name is offered) or its value cannot be used.
        """
        return cls(**cls._checked(given))

    def override(self, **given: Any) -> Self:
        """A copy with some options replaced; see :meth:`build`."""
        return replace(self, **self._checked(given))

    @classmethod
    def _checked(cls, given: dict[str, Any]) -> dict[str, Any]:
        known = {field.name for field in fields(cls)}
        for name in given:
            if name not in known:
                close = get_close_matches(name, known, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else f"; the options are {', '.join(sorted(known))}"
                raise ConfigurationError(f"a command has no option {name!r}{hint}")
        return {name: _CHECKS[name](name, value) for name, value in given.items()}

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
        try:
            delay = min(self.retry_delay * self.retry_backoff**done, self.retry_max_delay)
        except OverflowError:
            delay = self.retry_max_delay if self.retry_delay else 0.0
        if self.retry_jitter:
            delay *= uniform(1 - self.retry_jitter, 1 + self.retry_jitter)
        return min(delay, self.retry_max_delay)


def _optional(check: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    return lambda name, value: None if value is None else check(name, value)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(f"{name} must be a whole number, 0 or more, not {value!r}")
    return value


def _priority(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_PRIORITY:
        raise ConfigurationError(f"{name} must be a whole number from -{MAX_PRIORITY} to {MAX_PRIORITY}, not {value!r}")
    return value


def _backoff(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 100:
        raise ConfigurationError(f"{name} must be a number from 1 to 100, not {value!r}")
    return float(value)


def _fraction(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigurationError(f"{name} must be a number from 0 to 1, not {value!r}")
    return float(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} must be True or False, not {value!r}")
    return value


def _unique_key(name: str, value: Any) -> UniqueKey:
    if not callable(value) and not (isinstance(value, str) and value):
        raise ConfigurationError(f"{name} must be a text or a function that returns one, not {value!r}")
    return value  # type: ignore[no-any-return]


_CHECKS: Final[dict[str, Callable[[str, Any], Any]]] = {
    "retries": _whole,
    "retry_delay": _seconds,
    "retry_backoff": _backoff,
    "retry_max_delay": _seconds,
    "retry_jitter": _fraction,
    "retry_on": _exception_names,
    "give_up_on": _exception_names,
    "priority": _priority,
    "expires": _optional(_seconds),
    "unique_key": _optional(_unique_key),
    "unique_for": _optional(_seconds),
    "result_ttl": _optional(_seconds),
    "store_result": _optional(_flag),
    "keep_failed": _flag,
}

TRAVELLING: Final = (
    "retries",
    "retry_delay",
    "retry_backoff",
    "retry_max_delay",
    "retry_jitter",
    "retry_on",
    "give_up_on",
    "result_ttl",
    "store_result",
    "keep_failed",
)
"""The options that the consumer reads, and that a message carries when they were given for one call."""

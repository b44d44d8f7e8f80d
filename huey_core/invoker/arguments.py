"""What an invoker refuses to be made of, to enqueue and to wait for, and how it names things in errors."""

from __future__ import annotations

from datetime import timedelta
from math import isnan
from typing import TYPE_CHECKING

from huey_core.commands.base import QueueCommand
from huey_core.commands.function_command import FunctionCommand
from huey_core.commands.option_checks import MAX_SECONDS
from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from huey_core.backends.base import BaseDataStore, BaseQueue

__all__ = ["check_command", "check_kind", "plugin_of", "seconds_to_wait"]


def check_command(value: object, arguments: bool) -> None:
    """Refuse to enqueue what is no command, and a call of a function that does not take its arguments.

    One that came out of a queue is for the function to refuse: to be lost here would be worse than to fail there.

    Raises:
        TypeError: The message says how a command is made, or what Python says of the call.
    """
    if isinstance(value, FunctionCommand):
        if arguments and value.checked_data is not value.data and value.received is None:
            value.check_arguments()
    elif not isinstance(value, QueueCommand):
        raise TypeError(
            f"a {type(value).__name__} cannot be enqueued; call a decorated function, which enqueues it, or give "
            "enqueue() the command of a call: function.command(...)"
        )


def check_kind(name: str, value: object, *kinds: type) -> None:
    """Refuse a value that is of none of these classes; ``str`` among them means a URL.

    Raises:
        ConfigurationError: It is of none.
    """
    if not isinstance(value, kinds):
        expected = " or ".join("a URL" if kind is str else kind.__name__ for kind in kinds if kind is not type(None))
        raise ConfigurationError(f"{name} must be {expected}, not {value!r}")


def seconds_to_wait(timeout: float | timedelta | None) -> float | None:
    """The longest wait in seconds; ``None`` for one without an end.

    What is as good as for ever is for ever: no lock can wait for as long as ``float("inf")``.

    Raises:
        ConfigurationError: It is neither a number nor a timedelta.
    """
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    # "Not a number" is neither more nor less than any other: a wait for so long would have no end.
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | None) or isnan(seconds or 0):
        raise ConfigurationError(f"timeout must be a number of seconds, a timedelta or None, not {timeout!r}")
    return None if seconds is None or seconds > MAX_SECONDS else seconds


def plugin_of(thing: BaseQueue | BaseDataStore) -> str:
    """The class of a queue or a store and the distribution's package, for an error."""
    kind = type(thing)
    return f"{kind.__name__} ({kind.__module__.partition('.')[0]})"

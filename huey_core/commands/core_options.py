"""The options that core itself has: the first rows of every table of options."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from huey_core.backends.capabilities import Capability
from huey_core.backends.messages import MAX_PRIORITY
from huey_core.commands.option import CommandOption
from huey_core.commands.option_checks import (
    exception_names,
    flag,
    lasting,
    number,
    optional,
    queue_name,
    seconds,
    unique_key,
    whole_number,
)
from huey_core.workers.abilities import PoolAbility

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CORE_OPTIONS"]

_ROWS: Final[tuple[CommandOption[Any], ...]] = (
    CommandOption(
        "retries",
        whole_number(0),
        0,
        travels=True,
        help="How many more times a command that raised is tried.",
    ),
    CommandOption(
        "retry_delay",
        seconds,
        0.0,
        travels=True,
        help="Seconds before the first retry.",
    ),
    CommandOption(
        "retry_backoff",
        number(1, 100),
        1.0,
        travels=True,
        help="Each further delay is the one before, times this, which is from 1 to 100.",
    ),
    CommandOption(
        "retry_max_delay",
        optional(seconds),
        None,
        travels=True,
        help="Seconds, jitter included, of the longest delay; `None`: an hour, or `retry_delay` if that is longer.",
    ),
    CommandOption(
        "retry_jitter",
        number(0, 1),
        0.0,
        travels=True,
        help="Spreads each delay at random by this fraction, from 0 to 1, to either side.",
    ),
    CommandOption(
        "retry_on",
        exception_names,
        (),
        travels=True,
        help="Only exceptions of these types, or of these dotted names, and their subclasses are retried; empty: any "
        "`Exception`, which `SystemExit` is not, and `CommandTimeout`.",
    ),
    CommandOption(
        "give_up_on",
        exception_names,
        (),
        travels=True,
        help="Exceptions of these types, or of these dotted names, and their subclasses are never retried.",
    ),
    CommandOption(
        "priority",
        whole_number(-MAX_PRIORITY, MAX_PRIORITY),
        0,
        needs=Capability.PRIORITY,
        help=f"From -{MAX_PRIORITY} to {MAX_PRIORITY}: higher runs first, and within one priority first in, first out.",
    ),
    CommandOption(
        "queue",
        optional(queue_name),
        None,
        travels=True,
        help="The name of the queue that it is written to, where the invoker's is; `None`: the invoker's.",
    ),
    CommandOption(
        "expires",
        optional(seconds),
        None,
        help="Seconds after the call, or after the time for which it is scheduled, at which a command that has not "
        "started is dropped, a retry as well; `None`: never.",
    ),
    CommandOption(
        "unique_key",
        optional(unique_key),
        None,
        needs=Capability.UNIQUE,
        help="While a command of this key is live, another call of it writes nothing: a text in which `{name}` stands "
        "for an argument, or a function of the call's arguments that returns a text.",
    ),
    CommandOption(
        "unique_for",
        optional(lasting),
        None,
        needs=Capability.UNIQUE,
        help="Seconds for which the key stays taken, whatever becomes of the command; `None`: until it has ended.",
    ),
    CommandOption(
        "result_ttl",
        optional(lasting),
        None,
        travels=True,
        help="Seconds for which the result is kept; `None`: the invoker's `result_ttl`.",
    ),
    CommandOption(
        "store_result",
        optional(flag),
        None,
        travels=True,
        help="Whether the result is stored, or no more than that the command has ended; `None`: yes, but not that of "
        "a run by the clock.",
    ),
    CommandOption(
        "keep_failed",
        flag,
        True,
        travels=True,
        help="Whether a command that failed for good is kept as a dead letter, to be looked at and replayed.",
    ),
    CommandOption(
        "timeout",
        optional(lasting),
        None,
        travels=True,
        needs=(PoolAbility.INTERRUPT_PYTHON, PoolAbility.RUN_COROUTINES),
        help="Seconds that each run may take, then `CommandTimeout` is raised in it, and it has failed; `None`: any.",
    ),
)

CORE_OPTIONS: Final[Mapping[str, CommandOption[Any]]] = MappingProxyType({option.name: option for option in _ROWS})
"""Core's options by name."""

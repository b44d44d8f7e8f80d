"""Whether a worker pool is able to do what the options of commands ask for."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from huey_core.commands.periodic import is_run_by
from huey_core.exceptions import Unsupported
from huey_core.plugins.workers import worker_pool_registry
from huey_core.workers.abilities import PoolAbility

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from huey_core.commands.base import QueueCommand
    from huey_core.invoker.invoker import Invoker

__all__ = ["check_pool_abilities"]


def check_pool_abilities(invoker: Invoker, name: str, abilities: Collection[PoolAbility]) -> None:
    """Refuse to run commands with options that a pool cannot honour. A call with such an option is not known here.

    Args:
        invoker: The invoker, whose registry has the commands.
        name: The name of the worker pool.
        abilities: What the pool is able to do.

    Raises:
        Unsupported: The message names the options, their commands, and the installed pools that are able to do it.
    """
    lacking: defaultdict[tuple[tuple[PoolAbility, ...], str], list[str]] = defaultdict(list)
    for command_name in invoker.registry:
        command_class = invoker.registry.get(command_name)
        for needed, option in _needs_of(command_class, invoker):
            if not set(needed) & set(abilities) and is_run_by(command_class, invoker):
                lacking[needed, option].append(command_name)
    if lacking:
        raise Unsupported(
            "; ".join(
                f"the worker pool {name!r} has no {' or '.join(repr(one.value) for one in needed)}, which {option}= of "
                f"{', '.join(commands)} needs: {_advice(needed)}"
                for (needed, option), commands in lacking.items()
            )
        )


def _needs_of(command_class: type[QueueCommand], invoker: Invoker) -> Iterator[tuple[tuple[PoolAbility, ...], str]]:
    """The abilities of which an option of a command needs one, each time with the option's name.

    An option of a plugin that this consumer does not have means nothing here.
    """
    table, options = invoker.command_options, command_class.defaults
    known = {name: value for name, value in options.extra.items() if table.get(name) is not None}
    for needed, option in table.needs_of(replace(options, extra=known)):
        if isinstance(needed, PoolAbility):
            yield (needed,), option
        elif isinstance(needed, tuple):
            yield needed, option


def _advice(needed: Collection[PoolAbility]) -> str:
    able = [name for name, pool in worker_pool_registry.usable() if pool.abilities.intersection(needed)]
    return f"set WORKER_TYPE to {' or '.join(map(repr, able))}" if able else "no worker pool that has it is installed"

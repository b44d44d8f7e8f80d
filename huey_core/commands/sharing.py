"""Several invokers of one queue: which these are, and on what they disagree.

A consumer may have another invoker than the application calls, as it has where its configuration gives ``QUEUE``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from huey_core.backends.leased import LeasedQueue
from huey_core.backends.options import COMMON_OPTIONS
from huey_core.commands.base import CommandInvoker, QueueCommand
from huey_core.exceptions import ConfigurationError, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from huey_core.backends.base import BaseDataStore
    from huey_core.commands.registry import CommandRegistry
    from huey_core.serializers.base import Serializer

__all__ = ["follow_up_queue", "serializer_conflicts", "share_place", "share_queue", "store_conflicts"]

_ADVICE: Final = "set SERIALIZER to the same in the configuration, or INVOKER to the application's, in place of QUEUE"
"""What to do about two serializers."""

_LISTED: Final = 5

_COMMON: Final = frozenset(option.name for option in COMMON_OPTIONS)


class SharingInvoker(CommandInvoker, Protocol):
    """What is compared of two invokers."""

    registry: CommandRegistry
    result_store: BaseDataStore | None
    serializer: Serializer
    accepted: Mapping[str, Serializer]


def share_queue(one: CommandInvoker, other: CommandInvoker, name: str | None = None) -> bool:
    """Whether two invokers write to the same queue, as far as can be known without asking a server.

    Args:
        one: An invoker.
        other: Another one.
        name: The queue that the first is to write to; its own when ``None``.
    """
    return (name or one.queue.name) == other.queue.name and share_place(one, other)


def share_place(one: CommandInvoker, other: CommandInvoker) -> bool:
    """Whether the queues of two invokers are at one place, whatever they are called."""
    if one is other or one.queue is other.queue:
        return True
    if type(one.queue) is not type(other.queue):
        return False
    return not one.backends or not other.backends or _server_and_database(one) == _server_and_database(other)


def follow_up_queue(command: QueueCommand, invoker: CommandInvoker) -> str | None:
    """The name of the queue that a command goes to which follows one of this invoker's; ``None`` for the same queue.

    Raises:
        ConfigurationError: Its queue is at another place.
        Unsupported: Nothing can be written there in one step with the end of a command here.
    """
    home = command.invoker or invoker
    name = command.options.queue or home.queue.name
    if not share_place(home, invoker):
        raise ConfigurationError(
            f"{command.command_name} cannot follow: it is of the queue {home.queue!r}, which is elsewhere, and is to "
            f"be written in one step with the end of a command of {invoker.queue!r}; enqueue it instead"
        )
    # At once there is but one queue, whatever the name.
    if name == invoker.queue.name or invoker.on_queue(name) is invoker:
        return None
    if isinstance(invoker.queue, LeasedQueue) and not invoker.queue.settles_beside(name):
        raise Unsupported(
            f"{command.command_name} cannot follow: its queue {name!r} cannot be written in one step with the end of a "
            f"command of {invoker.queue!r}; enqueue it instead, or let both be of one queue"
        )
    return name


def _server_and_database(invoker: CommandInvoker) -> tuple[object, ...]:
    """Where an invoker's queue is: of its URL, what does not say how to log in or how to work with it."""
    url = invoker.backends[0].url
    own_options = sorted((name, value) for name, value in url.query if name not in _COMMON)
    return url.scheme, url.hosts, url.path, own_options


def serializer_conflicts(invoker: SharingInvoker) -> Iterator[str]:
    """Say which commands a consumer of this invoker cannot read, or their callers its results, and what to do."""
    for caller, names in _other_callers(invoker):
        if caller.serializer.name not in invoker.accepted:
            yield (
                f"the consumer cannot read {names}: their invoker's serializer is {caller.serializer.name!r}, and the "
                f"consumer's invoker, which is another one, accepts only {', '.join(invoker.accepted)}; {_ADVICE}"
            )
        elif invoker.serializer.name not in caller.accepted:
            yield (
                f"callers cannot read the results of {names}: their invoker accepts only "
                f"{', '.join(caller.accepted)}, and the serializer of the consumer's invoker, which is another one, is "
                f"{invoker.serializer.name!r}; {_ADVICE}"
            )


def store_conflicts(invoker: SharingInvoker) -> Iterator[str]:
    """Say for which commands callers may wait though a consumer of this invoker stores no results."""
    for caller, names in _other_callers(invoker):
        if caller.result_store is not None and invoker.result_store is None:
            yield (
                f"no results of {names} are stored, though callers may wait: their invoker has a result store, "
                "and the consumer's invoker, which is another one, has none; set RESULT_STORE in the configuration, or "
                "INVOKER to the application's"
            )


def _other_callers(invoker: SharingInvoker) -> Iterator[tuple[SharingInvoker, str]]:
    """The other invokers of the same queue, each with the names of the commands that were decorated for it."""
    by_caller: dict[SharingInvoker, list[str]] = {}
    for name in invoker.registry:
        command_class = invoker.registry.get(name)
        # Not by getattr: a deferred invoker, which is a descriptor, is not asked for here.
        caller = vars(command_class).get("invoker")
        if caller is None or hasattr(caller, "__get__") or caller is invoker:
            continue
        if share_queue(caller, invoker, command_class.defaults.queue):
            by_caller.setdefault(caller, []).append(name)
    for caller, names in by_caller.items():
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        yield caller, ", ".join(names[:_LISTED]) + more

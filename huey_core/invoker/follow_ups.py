"""What follows a command: commands that it has asked for itself, and those that plugins want, as messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from huey_core import hookspecs
from huey_core.backends.outcomes import Arrival
from huey_core.commands.base import QueueCommand
from huey_core.commands.join import Join
from huey_core.commands.sharing import follow_up_queue
from huey_core.exceptions import EncodeError, MessageTooLarge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from huey_core.backends.leased import LeasedQueue
    from huey_core.backends.messages import Message
    from huey_core.commands.execution import Execution
    from huey_core.plugins.manager import PluginManager

__all__ = ["NOTHING", "FollowedInvoker", "Following", "following", "what_follows"]


class Following(NamedTuple):
    """Messages that are written in the step that ends another one, and the groups at which that one arrives."""

    follow_ups: tuple[Message, ...] = ()
    arrivals: tuple[Arrival, ...] = ()


NOTHING: Final = Following()


class FollowedInvoker(hookspecs.InvokerLike, Protocol):
    """What is needed of an invoker to write what follows its commands."""

    @property
    def leased_queue(self) -> LeasedQueue | None:
        """The queue, if it delivers under leases."""

    @property
    def plugins(self) -> PluginManager:
        """The hooks."""

    def prepare(self, commands: Sequence[QueueCommand]) -> list[Message]:
        """Do all of an enqueueing but the writing."""

    def on_queue(self, name: str) -> FollowedInvoker:
        """The invoker of another queue at the same place."""


def what_follows(
    invoker: FollowedInvoker,
    command: QueueCommand | None,
    execution: Execution,
    message_id: str,
    headers: Mapping[str, str],
) -> Following:
    """Ask a command that has ended, and the plugins, what follows it; see ``huey_follow_ups`` for the parameters.

    Raises:
        Exception: What a plugin raised; or why a command that follows cannot be enqueued.
        EncodeError: It cannot be written; to run the command again would not help.
    """
    answers = invoker.plugins.call_all(
        hookspecs.huey_follow_ups,
        invoker=invoker,
        command=command,
        execution=execution,
        message_id=message_id,
        headers=headers,
    )
    return following(invoker, command, execution, answers)


def following(
    invoker: FollowedInvoker, command: QueueCommand | None, execution: Execution, answers: Iterable[object]
) -> Following:
    """Make of what the plugins have answered to ``huey_follow_ups`` what :func:`what_follows` returns, and raises."""
    wanted = () if command is None else command.end_run()
    asked: list[Any] = [*wanted] if execution.error is None else []
    for answer in answers:
        asked += _checked(answer)
    if not asked:
        return NOTHING
    joins = [one for one in asked if isinstance(one, Join)]
    commands = [one for one in asked if not isinstance(one, Join)]
    if joins:
        invoker.check_joins()
    messages = _encode(invoker, [*commands, *(join.then for join in joins)])
    arrivals = (
        Arrival(join.group, join.member, join.of, then, join.ttl)
        for join, then in zip(joins, messages[len(commands) :], strict=True)
    )
    return Following(tuple(messages[: len(commands)]), tuple(arrivals))


def _checked(answer: object) -> list[Any] | tuple[Any, ...]:
    if isinstance(answer, list | tuple) and all(isinstance(one, QueueCommand | Join) for one in answer):
        return answer
    raise TypeError(f"a plugin's huey_follow_ups returned {answer!r}, which is no list of commands and joins")


def _encode(invoker: FollowedInvoker, commands: Sequence[QueueCommand]) -> list[Message]:
    messages = []
    for command in commands:
        name = follow_up_queue(command, invoker)
        there = invoker if name is None else invoker.on_queue(name)
        [message] = there.prepare([command])
        message.queue = name
        _check_size(message, there.leased_queue)
        messages.append(message)
    return messages


def _check_size(message: Message, queue: LeasedQueue | None) -> None:
    if queue is not None and queue.max_message_size is not None and len(message.data) > queue.max_message_size:
        error = MessageTooLarge(len(message.data), queue.max_message_size, type(queue).__name__)
        raise EncodeError(f"what follows cannot be written: {error}") from error

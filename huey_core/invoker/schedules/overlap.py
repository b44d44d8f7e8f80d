"""``overlap="skip"``: of the runs of one entry, one at a time, whatever the number of consumers.

A tick is kept from being written twice by its unique key, which a message has only one of, so that cannot also keep it
from being written beside the run before. Whether a tick is let through is therefore decided once, by a compare-and-swap
in the task store, and the decision has the id of the message. Each consumer that comes to the tick then does what was
decided: it writes that message, of which the unique key lets one through, or none. So nothing is doubled by a consumer
that is late, and nothing is lost with one that is killed between the two: another, or the same one again, finds the
decision and writes. A tick that comes after a later one was decided is left out.

The run before has not ended while its message is live, whether it is ready, runs or waits to be tried again. What this
cannot see is a consumer that is frozen between the decision and the write, alone, until after the next due time: then
two runs may overlap. Neither is doubled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from huey_core.backends.capabilities import Capability
from huey_core.backends.json_value import JSONValue
from huey_core.backends.messages import State
from huey_core.commands.periodic import is_run_by, periodic_commands
from huey_core.exceptions import Unsupported
from huey_core.hookspecs.protocols import InvokerLike
from huey_core.invoker.arguments import plugin_of

if TYPE_CHECKING:
    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.leased import LeasedQueue

__all__ = ["Decision", "OneAtATime", "OverlapInvoker", "check_overlaps"]

_KEPT: Final = 30 * 86400.0
"""Seconds for which it is remembered which run was the latest."""

_LATE: Final = 3600.0
"""Seconds by which a consumer may be late. A decision about a time later still was made by a clock that was wrong."""


class OverlapInvoker(InvokerLike, Protocol):
    """What is needed of an invoker to let runs be one at a time."""

    @property
    def leased_queue(self) -> LeasedQueue | None:
        """Its queue, if that delivers under leases."""


class Decision(NamedTuple):
    """What was decided about a tick.

    Attributes:
        due: The due time, in seconds since the epoch.
        let_through: The due time of the latest tick that was let through: the same one, or one before.
        message_id: The id of the message of that one.
    """

    due: float
    let_through: float
    message_id: str

    @property
    def skips(self) -> bool:
        """Whether nothing is written for the tick."""
        return self.due != self.let_through


@dataclass(frozen=True, slots=True)
class OneAtATime:
    """Decides which ticks of a queue are let through.

    Attributes:
        queue: The queue to which they are written.
        store: What consumers share, with locks.
    """

    queue: LeasedQueue
    store: BaseDataStore

    @classmethod
    def of(cls, invoker: OverlapInvoker) -> OneAtATime:
        """What decides for an invoker's queue.

        Raises:
            Unsupported: Its queue or its task store cannot do what that needs; the message says what is missing.
        """
        queue, store = invoker.leased_queue, invoker.task_store
        if queue is None or Capability.UNIQUE not in queue.capabilities:
            lacking = Capability.LEASES if queue is None else Capability.UNIQUE
            raise Unsupported(f"{plugin_of(invoker.queue)} has no {lacking.value!r}, which overlap='skip' needs")
        if store is None:
            raise Unsupported("overlap='skip' needs a task store; give the invoker one with task_store=...")
        if Capability.LOCKS not in store.capabilities:
            raise Unsupported(f"the task store {plugin_of(store)} has no 'locks', which overlap='skip' needs")
        return cls(queue, store)

    def decide(self, name: str, due: float, message_id: str) -> tuple[Decision, Decision | None]:
        """Decide about a tick, unless that has been done.

        Args:
            name: The entry's name.
            due: The due time, in seconds since the epoch.
            message_id: The id of its message, if it is let through now.

        Returns:
            The decision, which is about a later tick where this one comes after it; and the one before that this call
            has replaced, ``None`` where it has replaced none.

        Raises:
            Exception: The queue or the task store did not answer.
        """
        made = Decision(due, due, message_id)

        def decided(stored: dict[str, Any]) -> dict[str, Any]:
            nonlocal made
            known = _decision(stored)
            if known is not None and 0 <= known.due - due <= _LATE:
                made = known
                return stored
            if known is not None and self._is_live(known.message_id):
                made = known._replace(due=due)
            else:
                made = Decision(due, due, message_id)
            return made._asdict()

        value = JSONValue[dict[str, Any]](self.store, f"overlap:{name}", {}, expendable=True)
        before = value.change(decided, ttl=lambda _: _KEPT)
        return made, None if before == made._asdict() else _decision(before)

    def _is_live(self, message_id: str) -> bool:
        return any(found.state is not State.DEAD for found in self.queue.find([message_id]))


def _decision(stored: dict[str, Any]) -> Decision | None:
    match stored:
        case {
            "due": int() | float() as due,
            "let_through": int() | float() as let_through,
            "message_id": str() as found,
        }:
            return Decision(due, let_through, found)
    return None


def check_overlaps(invoker: OverlapInvoker) -> None:
    """Refuse ``overlap="skip"`` of a command that consumers of an invoker's queue run, where it cannot be kept.

    Raises:
        Unsupported: The message names the command.
    """
    for command_class in periodic_commands(invoker.registry):
        if command_class.overlap == "skip" and is_run_by(command_class, invoker):
            try:
                OneAtATime.of(invoker)
            except Unsupported as error:
                raise Unsupported(f"{command_class.command_name}: {error}") from None

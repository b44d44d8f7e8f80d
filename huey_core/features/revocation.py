"""Revocation: calls and commands that are not to run, kept in the task store.

Asking for every command whether it was revoked would cost a round trip each. A marker says whether there may be any
revocation at all, and is looked at once for all messages of a claim.

A process may end between any two steps here. That may cost a few needless looks; it never lets a revoked command run,
and a revocation that was meant for one call never drops two. Three rules see to that:

* The revocation of a call is not used up by dropping the call, for the drop may be lost with the consumer before the
  queue knows of it, and the call then comes again. It is forgotten in time instead, and so is the marker that says
  that there may be any; the marker is written first and forgotten later.
* The revocations of commands are one value under one key, changed only by compare-and-swap.
* A call is cancelled by another value of its revocation, and a mark that is written after it says that there is one.
* A revocation that was meant for one call is taken by writing down which. What was taken leaves that value only after
  the call has a revocation of its own; whoever comes by, after a crash, finishes this.

What another version has written is kept as it is when the value is changed, and of an entry only those fields are read
that are known here. An entry that cannot be read is nobody's business but that of the command that it names: whether
that one may run is not known, so it neither runs nor is dropped, until a consumer reads the entry or somebody restores
the command.
"""

from __future__ import annotations

import threading
from contextvars import copy_context
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol

from huey_core.backends.base import EmptyData
from huey_core.backends.capabilities import Capability
from huey_core.backends.json_value import JSONValue
from huey_core.backends.messages import new_message_id
from huey_core.exceptions import CommandPostponed, CommandRevoked, DataStoreGetException
from huey_core.hookspecs import InvokerLike, hookimpl
from huey_core.safe_logging import get_logger
from huey_core.settings import ConsumerConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from huey_core.backends.base import BaseDataStore, EmptyDataType
    from huey_core.backends.messages import Delivery
    from huey_core.commands.base import QueueCommand

__all__ = ["CALL_TTL", "Revocation", "Revocations", "RevokingInvoker", "keeps_revocations"]

log: Final = get_logger(__name__)

CALL_TTL: Final = 30 * 86400.0
"""Seconds for which the revocation of a call is remembered, where the store can forget: thirty days."""

_CALLS: Final = "revoked-calls"
_CALLS_MARGIN: Final = 86400.0
_CANCELLED: Final = "cancelled-calls"
_COMMANDS: Final = "revoked-commands"
_NO_COMMANDS: Final = b"{}"
_MOST_THREADS: Final = 8

_REVOKED: Final = b"1"
_TO_CANCEL: Final = b"cancel"

_TYPES: Final[dict[str, set[type]]] = {
    "until": {int, float, type(None)},
    "once": {bool},
    "taken_by": {str, type(None)},
}
"""The fields of an entry that are known here, with their exact types: to ``isinstance`` a bool is an int."""


def keeps_revocations(task_store: BaseDataStore) -> bool:
    """Whether a task store like this one can keep revocations."""
    return Capability.LOCKS in task_store.capabilities


class RevokingInvoker(InvokerLike, Protocol):
    """What is needed of an invoker to drop commands."""

    @property
    def revocations(self) -> Revocations:
        """The revocations in its task store, which must be one that can keep them."""


class Revocation:
    """Drops commands that were revoked, without a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks = count(1)
        # Of each queue, by its invoker: whether there may be any revocation, and which look has found that.
        self._latest: dict[RevokingInvoker, int] = {}
        self._may_be_any: dict[RevokingInvoker, bool] = {}
        self._config = ConsumerConfig()

    # Last, because others may change it.
    @hookimpl(trylast=True)
    def huey_consumer_configure(self, config: ConsumerConfig) -> None:
        self._config = config

    @hookimpl
    def huey_after_claim(self, invoker: RevokingInvoker, deliveries: Sequence[Delivery]) -> None:
        look = next(self._looks)
        store = invoker.task_store
        found = store is not None and keeps_revocations(store) and invoker.revocations.any()
        with self._lock:
            # What a later look has found is right for earlier claims too, and not the other way round.
            if look > self._latest.get(invoker, 0):
                self._latest[invoker] = look
                self._may_be_any[invoker] = found

    # First, so that nobody prepares for what will not run.
    @hookimpl(tryfirst=True)
    def huey_before_execute(self, invoker: RevokingInvoker, command: QueueCommand) -> None:
        if not self._may_be_any.get(invoker, True):
            return
        store = invoker.task_store
        if store is None or not keeps_revocations(store):
            return
        try:
            revoked = invoker.revocations.take(command, invoker.now())
        except Exception as error:
            delay = self._config.unreadable_delay
            log.exception("whether %s was revoked could not be read, postponed for %g s", command, delay)
            raise CommandPostponed(delay) from error
        if revoked:
            raise CommandRevoked(f"{command.command_name} {command.task_id} was revoked before it could start")

    async def huey_before_execute_async(self, invoker: RevokingInvoker, command: QueueCommand) -> None:
        """Ask the store in a thread, since an event loop has others to serve."""
        if self._may_be_any.get(invoker, True):
            # Only an event loop calls this, and it takes longer to import than all of this package.
            import asyncio

            look = partial(copy_context().run, self.huey_before_execute, invoker, command)
            await asyncio.get_running_loop().run_in_executor(self._threads, look)

    @cached_property
    def _threads(self) -> Executor:
        """The threads in which a store is asked for an event loop: its own may be busy with what commands do there."""
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(_MOST_THREADS, "huey-revocations")


Commands = dict[str, Any]
"""The revocations of commands as they are stored: for each name an object of the fields of :class:`_Revoked`."""


@dataclass(frozen=True, slots=True)
class _Revoked:
    """How a command is revoked: until a time (seconds since the epoch), for one call, and which call took it."""

    until: float | None = None
    once: bool = False
    taken_by: str | None = None

    def holds(self, now: float) -> bool:
        return self.taken_by is None and (self.until is None or now < self.until)


class Revocations:
    """The revocations of one invoker.

    Args:
        store: The task store. It must have :attr:`Capability.LOCKS`. Without :attr:`Capability.TTL`, the revocation of
            a call is kept until it is restored.
    """

    def __init__(self, store: BaseDataStore) -> None:
        self._store = store
        self._commands: JSONValue[Commands] = JSONValue(store, _COMMANDS, {})
        self._forgets = Capability.TTL in store.capabilities

    def revoke_call(self, task_id: str, terminate: bool = False) -> None:
        """Keep one call from running, however often it is delivered.

        This is remembered for :data:`CALL_TTL`: a call that is due later than that runs, unless it is revoked again.

        Args:
            task_id: The call's identifier.
            terminate: Whether to cancel it as well, if it runs.
        """
        self._keep(_CALLS, CALL_TTL + _CALLS_MARGIN)
        self._keep(_call_key(task_id), CALL_TTL, _TO_CANCEL if terminate else _REVOKED)
        if terminate:
            # After that by which it is known which.
            self._keep(_CANCELLED, CALL_TTL, new_message_id().encode())

    def last_cancellation(self) -> bytes | EmptyDataType:
        """What is another value after each time that a call was cancelled."""
        return self._store.peek(_CANCELLED)

    def watch_cancellations(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back when a call may have been cancelled; see :meth:`BaseDataStore.watch`."""
        return self._store.watch(_CANCELLED, callback)

    def cancelled(self, task_ids: Sequence[str]) -> set[str]:
        """Those of these calls that were cancelled."""
        values = self._store.peek_many([_call_key(task_id) for task_id in task_ids])
        return {task_id for task_id, value in zip(task_ids, values, strict=True) if value == _TO_CANCEL}

    def revoke_command(self, command_name: str, until: float | None, once: bool) -> None:
        """Keep every call of a command from running: until a time, or only the next one, or until restored."""
        self._edit(lambda commands: {**commands, command_name: asdict(_Revoked(until, once))})

    def restore_call(self, task_id: str) -> bool:
        """Forget the revocation of a call, and say whether there was one."""
        return self._store.delete(_call_key(task_id))

    def restore_command(self, command_name: str) -> bool:
        """Forget the revocation of a command, and say whether there was one."""
        before = self._edit(lambda commands: {name: one for name, one in commands.items() if name != command_name})
        return command_name in before and _taken_by(before[command_name]) is None

    def is_call_revoked(self, task_id: str) -> bool:
        """Whether this call was revoked by itself; it stays so after it was dropped."""
        return self._store.peek(_call_key(task_id)) is not EmptyData

    def is_command_revoked(self, command_name: str, now: float) -> bool:
        """Whether every call of this command is revoked at ``now`` (seconds since the epoch), if that can be read."""
        commands = self._commands.read()
        return command_name in commands and _revoked(command_name, commands[command_name]).holds(now)

    def revoked_commands(self, now: float) -> set[str]:
        """The commands that are revoked at ``now`` (seconds since the epoch), those left out that cannot be read."""
        known = {name: _known_part(entry) for name, entry in self._commands.read().items()}
        return {name for name, revoked in known.items() if revoked is not None and revoked.holds(now)}

    def any(self) -> bool:
        """Whether there may be a revocation at all: one look, for a whole batch of commands."""
        calls, commands = self._store.peek_many([_CALLS, _COMMANDS])
        return calls is not EmptyData or commands not in {EmptyData, _NO_COMMANDS}

    def take(self, command: QueueCommand, now: float) -> bool:
        """Say whether this command must not run now.

        A revocation that was meant for one call becomes this call's own by that: the answer is the same when the call
        comes again, and no other call gets it.

        Raises:
            DataStoreGetException: What is stored of its command cannot be read.
        """
        task_id, name = command.task_id, command.command_name
        while True:
            # The call's own revocation is read last: it is there before what the call has taken goes away.
            stored, for_call = self._store.peek_many([_COMMANDS, _call_key(task_id)])
            if for_call is not EmptyData:
                return True
            commands = self._commands.decode(stored)
            if any(_is_over(entry, now) for entry in commands.values()):
                self._tidy(now)
            if name not in commands:
                return False
            revoked = _revoked(name, commands[name])
            if not revoked.holds(now):
                return revoked.taken_by == task_id
            if not revoked.once:
                return True
            self._edit(partial(_with_taken, name=name, task_id=task_id, now=now))

    def _keep(self, key: str, ttl: float, value: bytes = _REVOKED) -> None:
        if self._forgets:
            self._store.put(key, value, ttl)
        else:
            self._store.put(key, value)

    def _tidy(self, now: float) -> None:
        self._edit(lambda commands: {name: entry for name, entry in commands.items() if not _is_over(entry, now)})

    def _edit(self, change: Callable[[Commands], Commands]) -> Commands:
        """Change the revocations of commands, and return what they were before."""

        def changed(before: Commands) -> Commands:
            after = change(before)
            for name, entry in before.items():
                taken_by = _taken_by(entry)
                if taken_by is not None and after.get(name) != entry:
                    self.revoke_call(taken_by)
            return after

        return self._commands.change(changed)


def _call_key(task_id: str) -> str:
    return f"revoked-call:{task_id}"


def _with_taken(commands: Commands, name: str, task_id: str, now: float) -> Commands:
    """The same, with a revocation for one call taken by this one, if it is still to be taken."""
    revoked = _known_part(commands.get(name))
    if revoked is None or not revoked.once or not revoked.holds(now):
        return commands
    return {**commands, name: {**commands[name], "taken_by": task_id}}


def _revoked(name: str, entry: Any) -> _Revoked:
    revoked = _known_part(entry)
    if revoked is None:
        raise DataStoreGetException(f"the revocation of {name!r} cannot be read here; restore() forgets it")
    return revoked


def _is_over(entry: Any, now: float) -> bool:
    revoked = _known_part(entry)
    return revoked is not None and not revoked.holds(now)


def _taken_by(entry: Any) -> str | None:
    revoked = _known_part(entry)
    return None if revoked is None else revoked.taken_by


def _known_part(entry: Any) -> _Revoked | None:
    if not isinstance(entry, dict):
        return None
    known = {name: entry[name] for name in _TYPES if name in entry}
    return _Revoked(**known) if all(type(value) in _TYPES[name] for name, value in known.items()) else None

"""Periodic commands: every matching minute is run once, however many consumers there are.

A tick, the pair of a command and a minute, is a message whose unique key is the tick. Every consumer writes every
tick, and the queue lets one through: there is no leader to elect or to lose. Minutes are those of the queue's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from huey_core.backends.capabilities import Capability
from huey_core.backends.json_value import JSONValue
from huey_core.commands.function_command import FunctionCommand
from huey_core.commands.periodic import is_run_by, periodic_commands
from huey_core.consumer.supervision import Service
from huey_core.exceptions import CommandRejected, DataStoreException, MessageTooLarge, QueueWriteException
from huey_core.safe_logging import get_logger
from huey_core.text import is_users_interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from huey_core.backends.base import BaseDataStore
    from huey_core.commands.base import PeriodicQueueCommand
    from huey_core.consumer.policy import Policy
    from huey_core.consumer.retry import BackOff
    from huey_core.invoker.invoker import Invoker

__all__ = ["PeriodicScheduler", "TickWriter"]

log: Final = get_logger(__name__)

MINUTE: Final = 60
LONGEST_CATCH_UP: Final = 24 * 60
"""The most minutes to look back for missed ticks."""

LAST_TICK_KEPT: Final = 30 * 24 * 60
"""Minutes after which a command that no consumer knows any more is forgotten."""

TICK_REMEMBERED: Final = 3600.0
"""Seconds for which a tick that was written keeps others from writing it again."""


class TickWriter:
    """Writes the ticks of a minute, and of minutes that were missed.

    Args:
        invoker: The invoker whose periodic commands they are.
        utc: Whether commands are asked in UTC; ``False`` for local time.
    """

    def __init__(self, invoker: Invoker, utc: bool = True) -> None:
        self._invoker = invoker
        self._log = log.with_fields(queue=invoker.queue.name)
        self._utc = utc
        self._last: int | None = None
        self._last_ticks = _LastTicks(_locking(invoker.task_store))
        self._claimed: set[str] = set()

    def commands(self) -> list[type[PeriodicQueueCommand]]:
        """The periodic commands of this queue."""
        return [one for one in periodic_commands(self._invoker.registry) if is_run_by(one, self._invoker)]

    def write(self, now: float) -> int:
        """Write what is due at ``now`` (seconds since the epoch), and return how many ticks this call wrote.

        A command that cannot be written for a reason of its own is logged and left out.

        Raises:
            Exception: The queue or the task store did not answer. Every command has had its turn, and the next call
                tries again what was not written.
        """
        minute = int(now) // MINUTE
        if minute == self._last:
            return 0
        commands = self.commands()
        if not commands:
            return 0
        made_up_for = [one.command_name for one in commands if one.missed != "skip"]
        last_ticks = self._last_ticks.read(made_up_for)
        written = 0
        outage: Exception | None = None
        for command_class in commands:
            for each in self._due(command_class, minute, last_ticks.get(command_class.command_name)):
                try:
                    written += self._write_tick(command_class, each)
                except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                    outage = error
        if outage is not None:
            raise outage
        self._last = minute
        self._claimed.clear()
        self._last_ticks.note(made_up_for, minute)
        return written

    def _due(self, command_class: type[PeriodicQueueCommand], minute: int, last_tick: int | None) -> Iterator[int]:
        if command_class.missed != "skip":
            last = max((each for each in (last_tick, self._last) if each is not None), default=minute)
            missed = range(max(last + 1, minute - LONGEST_CATCH_UP), minute)
            made_up = [each for each in missed if self._matches(command_class, each)]
            yield from made_up[-1:] if command_class.missed == "once" else made_up
        if self._matches(command_class, minute):
            yield minute

    def _matches(self, command_class: type[PeriodicQueueCommand], minute: int) -> bool:
        at = datetime.fromtimestamp(minute * MINUTE, UTC if self._utc else None).replace(tzinfo=None)
        try:
            return command_class().validate_datetime(at)
        except BaseException as error:
            if is_users_interrupt(error):
                raise
            name = command_class.command_name
            self._log.exception("%s could not say whether it is due at %s", name, at, extra={"command": name})
            return False

    def _write_tick(self, command_class: type[PeriodicQueueCommand], minute: int) -> bool:
        name, due = command_class.command_name, minute * MINUTE
        tick, fields = f"tick:{name}:{due}", {"command": name}
        shown: object = name
        unique = Capability.UNIQUE in self._invoker.queue.capabilities
        if not unique and not self._claim(tick):
            return False
        try:
            command = command_class(((), {}) if issubclass(command_class, FunctionCommand) else None)
            shown, fields["task_id"] = command, command.task_id
            command.mark_tick(due, (tick, TICK_REMEMBERED) if unique else None)
            created = self._invoker.write_many([command])[0].created
        except CommandRejected as error:
            self._log.info("a plugin rejected %s, due at %s: %s", shown, _utc(due), error, extra=fields)
            created = False
        except BaseException as error:
            if is_users_interrupt(error):
                raise
            if isinstance(error, QueueWriteException | DataStoreException) and not isinstance(error, MessageTooLarge):
                raise
            self._log.exception("could not enqueue %s, due at %s", shown, _utc(due), extra=fields)
            created = False
        self._claimed.discard(tick)
        return created

    def _claim(self, tick: str) -> bool:
        """Whether this writer is the one to write a tick to a queue that has no unique keys."""
        store = _locking(self._invoker.task_store)
        if store is None or tick in self._claimed:
            return True
        if not store.put_if_absent(tick, b"", TICK_REMEMBERED):
            return False
        # Until it is written, so that the claim does not stand in the way of trying again.
        self._claimed.add(tick)
        return True


def _utc(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _locking(store: BaseDataStore | None) -> BaseDataStore | None:
    return store if store is not None and Capability.LOCKS in store.capabilities else None


class _LastTicks:
    """The last minute with which consumers have dealt, by periodic command, so that a restart knows what was missed.

    Consumers of one queue need not know the same commands, so each command has its own last minute. All are in one
    value of the task store, which costs a minute at most one write, however many commands there are: the first consumer
    that is done with the minute writes it, and the others find it there. Without a task store that has locks, nothing
    is remembered.
    """

    def __init__(self, store: BaseDataStore | None) -> None:
        self._value = None if store is None else JSONValue[dict[str, Any]](store, "last-tick", {}, expendable=True)

    def read(self, names: Sequence[str]) -> dict[str, int]:
        """Return the last minute of each of these commands that has one. Others may be among the answer."""
        return _minutes(self._value.read()) if self._value is not None and names else {}

    def note(self, names: Sequence[str], minute: int) -> None:
        """Remember that these commands have been dealt with until ``minute``, unless a later one is remembered."""

        def noted(last_ticks: dict[str, Any]) -> dict[str, Any]:
            # Those of the far future are of a clock that was wrong.
            kept = {name: last for name, last in _minutes(last_ticks).items() if abs(minute - last) <= LAST_TICK_KEPT}
            return kept | {name: max(minute, kept.get(name, minute)) for name in names}

        if self._value is not None and names:
            self._value.change(noted)


def _minutes(last_ticks: dict[str, Any]) -> dict[str, int]:
    return {name: last for name, last in last_ticks.items() if type(last) is int}


@dataclass(eq=False, repr=False)
class PeriodicScheduler(Service):
    """Writes ticks at the beginning of every minute by the time of the queue."""

    writer: TickWriter
    now: Callable[[], float]
    back_off: BackOff
    policy: Policy
    wait: Callable[[float], bool] | None = None
    """Waits for so many seconds, or until told to stop, which it says by returning true."""

    def __post_init__(self) -> None:
        super().__init__("periodic", "the writing of ticks", self.policy)
        self._wait = self.wait or self._stopping.wait

    def _pause(self, seconds: float) -> bool:
        return self._wait(seconds)

    def _work(self) -> None:
        pause = 0.0
        while not self._wait(pause):
            try:
                pause = self._write()
            except Exception as error:  # noqa: BLE001 - a driver may raise anything while its server is away
                pause = self.back_off.failed(error)
            else:
                self.back_off.over()

    def _write(self) -> float:
        """Write the ticks of this minute, and return how many seconds are left until the next one."""
        now = self.now()
        self.writer.write(now)
        # A little past the minute, so that rounding never lands before it.
        following = now - now % MINUTE + MINUTE + 0.01
        return min(max(following - self.now(), 0.0), MINUTE)

"""Dead letters of ticks: of each schedule the latest is kept, and takes the place of the one before.

A command that fails every minute would otherwise leave 1,440 dead letters a day that all say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core.backends.capabilities import Capability
from huey_core.backends.json_value import JSONValue
from huey_core.backends.messages import State
from huey_core.invoker.schedules.kept import SCHEDULE_HEADER
from huey_core.message import read_header

if TYPE_CHECKING:
    from huey_core.backends.base import BaseDataStore
    from huey_core.backends.leased import LeasedQueue

__all__ = ["replace_dead_letter", "schedule_of_tick"]

_KEY: Final = "dead-tick:"
"""What the key begins with under which the id of the latest one is kept; the schedule's name follows."""


def schedule_of_tick(data: bytes) -> str | None:
    """The name of the schedule of a tick, which is that of its command where that declares it.

    ``None`` for a message that is no tick, and for one that cannot be read.
    """
    header = read_header(data)
    if header.tick_at is None:
        return None
    kept = header.headers.get(SCHEDULE_HEADER)
    return header.command_name if kept is None else f"schedule:{kept}"


def replace_dead_letter(queue: LeasedQueue, store: BaseDataStore | None, schedule: str, message_id: str) -> None:
    """Delete the dead letter of an earlier tick of a schedule, now that a later one has failed as well, and stays.

    The task store remembers the earlier one; one without locks, or none, remembers nothing.

    Raises:
        Exception: The queue or the store did not answer.
    """
    if store is None or Capability.LOCKS not in store.capabilities:
        return
    earlier = JSONValue(store, f"{_KEY}{schedule}", "", expendable=True).change(lambda _: message_id)
    if earlier in {"", message_id}:
        return
    # An operator may have requeued it, and then it is alive.
    if any(each.state is State.DEAD for each in queue.find([earlier])):
        queue.delete([earlier])

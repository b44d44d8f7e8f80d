"""A project's queues, of any backend: which there are, what is in them, and what can be done to that.

What a server or a driver raises becomes :class:`ServerUnavailable` where it is asked, and a part of the summary in
:func:`summarise`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from huey_core.backends import Counts, State, StoredMessage
from huey_core.consumer import consumers_alive, keeps_heartbeats
from huey_django.conf import queues_of_settings, task_aliases
from huey_django.invokers import DEFAULT_QUEUE, get_invoker, project_invoker
from huey_django.project_queue import ProjectQueue
from huey_django.shown import ShownConsumer, ShownMessage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from huey_core.consumer import ConsumerRecord
    from huey_core.inspection import Acted
    from huey_django.tasks import HueyBackend

__all__ = [
    "Done",
    "ServerUnavailable",
    "Summary",
    "asking",
    "queues",
    "summarise",
]

_RUNNING_SHOWN: Final = 10
"""Messages of each consumer that are shown to run."""


class ServerUnavailable(Exception):
    """A queue's server could not be asked, or did not do what was asked of it.

    Attributes:
        queue: The queue.
        problem: What its driver said, without a password.
    """

    def __init__(self, queue: ProjectQueue, problem: str) -> None:
        super().__init__(queue, problem)
        self.queue = queue
        self.problem = problem


@contextmanager
def asking(queue: ProjectQueue) -> Iterator[None]:
    """Turn whatever a driver raises into something that can be shown.

    Raises:
        ServerUnavailable: The driver raised.
    """
    try:
        yield
    except Exception as error:
        raise ServerUnavailable(queue, queue.explain(error)) from error


def queues() -> list[ProjectQueue]:
    """The queue that the settings name, and those of ``TASKS`` and of ``SERVE_QUEUES``.

    Raises:
        SettingsError: A setting is missing or cannot be used.
    """
    own = project_invoker()
    # An alias without a location of its own names the project's invokers once more, so the first name of each counts.
    found = {} if own is None else {own: ProjectQueue(DEFAULT_QUEUE, own, own.backends)}
    names = {DEFAULT_QUEUE}
    for alias in task_aliases():
        from django.tasks import task_backends

        tasks = cast("HueyBackend", task_backends[alias.name])
        for name, invoker in tasks.invokers().items():
            key = f"{alias.name}:{name}" if alias.has_location else name
            found.setdefault(invoker, ProjectQueue(key, invoker, tasks.invoker().backends))
            names.add(name)
    for name in queues_of_settings():
        if own is not None and name not in names:
            invoker = get_invoker(name)
            found.setdefault(invoker, ProjectQueue(name, invoker, own.backends))
    return list(found.values())


@dataclass(frozen=True)
class Summary:
    """A queue at a glance.

    Attributes:
        queue: The queue.
        counts: How many messages are in each state; ``None`` when the queue cannot tell.
        waiting: How many messages wait in a queue that cannot tell more; ``None`` otherwise.
        consumers: The consumers that are alive; ``None`` when they write no heartbeat.
        problem: What the server or its driver said; empty when all is well.
    """

    queue: ProjectQueue
    counts: Counts | None = None
    waiting: int | None = None
    consumers: Sequence[ShownConsumer] | None = None
    problem: str = ""

    @property
    def lacks_consumer(self) -> bool:
        """Whether something is ready and nobody is there to run it."""
        return self.counts is not None and self.counts.ready > 0 and self.consumers is not None and not self.consumers


def summarise(queue: ProjectQueue) -> Summary:
    """Look at a queue. What goes wrong is told in the summary."""
    if queue.runs_at_once:
        return Summary(queue)
    counts = waiting = consumers = None
    problem = ""
    try:
        with asking(queue):
            if queue.leased is not None:
                counts = queue.leased.counts()
            else:
                waiting = len(queue.invoker.queue)
            task_store = queue.invoker.task_store
            if task_store is not None and keeps_heartbeats(task_store):
                consumers = _consumers(queue, consumers_alive(task_store))
    except ServerUnavailable as error:
        problem = error.problem
    return Summary(queue, counts, waiting, consumers, problem)


def _consumers(queue: ProjectQueue, records: Sequence[ConsumerRecord]) -> list[ShownConsumer]:
    ids = [each for record in records for each in record.running_ids[:_RUNNING_SHOWN]]
    stored = queue.leased.find(ids) if queue.leased is not None and ids else []
    # What a record names was so some seconds ago.
    running = {each.message_id: ShownMessage.read(queue, each, None) for each in stored if each.state is State.RUNNING}
    return [ShownConsumer.read(record, running) for record in records]


@dataclass
class Done:
    """What became of an action.

    Attributes:
        count: To how many messages it was done.
        moved: How many are no longer in the state in which they were to be found.
        refused: How many the queue left as they are.
        expired: How many were not tried again because they have expired.
        messages: Those that it was done to, where they were named one by one.
    """

    count: int = 0
    moved: int = 0
    refused: int = 0
    expired: int = 0
    messages: list[StoredMessage] = field(default_factory=list)

    def add(self, part: Acted, *, by_name: bool) -> None:
        """Count what became of a portion, and keep the messages if they were named one by one."""
        self.count += len(part.done)
        self.moved += len(part.moved)
        self.refused += len(part.refused)
        self.expired += len(part.expired)
        if by_name:
            self.messages += part.done

"""The consumers of ``run_huey``: one for each server that the project has queues on, in one process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import django

from huey_core.consumer import Consumer, TickWriter
from huey_core.exceptions import ConfigurationError
from huey_core.safe_logging import get_logger
from huey_django.conf import SettingsError, task_aliases
from huey_django.discovery import autodiscover
from huey_django.eager import EagerQueue
from huey_django.hooks import DJANGO_HOOKS, as_in_a_request
from huey_django.invokers import DEFAULT_QUEUE, get_invoker, is_of_one_process, project_invoker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from huey_core import Invoker
    from huey_core.backends import BaseQueue
    from huey_core.consumer import ConsumerConfig
    from huey_django.invoker import DjangoInvoker

__all__ = ["DjangoConsumer", "invoker_in_process", "invokers_to_serve", "make_consumers"]

log: Final = get_logger(__name__)


class DjangoConsumer(Consumer):
    """A consumer that runs every command as if it were a request; see :mod:`huey_django.hooks`.

    Args:
        invoker: The invoker whose commands it runs.
        config: The settings.

    Raises:
        ConfigurationError: A setting cannot be used.
    """

    def __init__(self, invoker: DjangoInvoker, config: ConsumerConfig) -> None:
        invoker.plugins.register(DJANGO_HOOKS, "huey_django")
        super().__init__(invoker, config, application=f"{__name__}.{invoker_in_process.__name__}")

    def make_tick_writer(self, invoker: Invoker) -> TickWriter:
        """Make what writes the ticks of the periodic commands of an invoker's queue."""
        return DjangoTickWriter(invoker, self.config.utc)


class DjangoTickWriter(TickWriter):
    """Asks periodic commands whether they are due, which a command may look up in a database."""

    def write(self, now: float) -> int:
        """Write what is due; see :meth:`TickWriter.write`."""
        with as_in_a_request():
            return super().write(now)

    def next_due(self, now: float) -> float:
        """Say when to write again; see :meth:`TickWriter.next_due`."""
        with as_in_a_request():
            return super().next_due(now)


def make_consumers(config: ConsumerConfig) -> list[DjangoConsumer]:
    """Make a consumer for each server, of those of its queues that are to be served.

    Args:
        config: The settings of each of them. Queues are called as in the project; see :func:`invokers_to_serve`.

    Raises:
        SettingsError: A setting is missing or cannot be used.
        ConfigurationError: A queue cannot be served by a process of its own.
    """
    served = config.serve_queues
    invokers = invokers_to_serve(served or ())
    if not invokers:
        raise ConfigurationError("there is no queue to serve: TASKS lists none; name one with --queue")
    for invoker in invokers:
        check_that_others_can_write(invoker.queue, invoker.always_eager)
    if task_aliases():
        # All of them: a queue may be that of an alias by another spelling of its URL, or once have been.
        from huey_django.tasks.running import with_task_hooks

        for invoker in invokers:
            with_task_hooks(invoker)
    weights = served if isinstance(served, Mapping) else {}
    in_order = served is not None and not isinstance(served, Mapping)
    places: dict[DjangoInvoker, dict[str, float]] = {}
    for invoker, name in invokers.items():
        place = places.setdefault(invoker.on_queue(invoker.default_queue), {})
        place[invoker.queue.name] = weights.get(name, 1.0)
    own = project_invoker()
    consumers = []
    for invoker, queues in places.items():
        # A command that names no queue belongs to that of the settings.
        periodic = config.runs_periodic and invoker is own
        serve_queues = None if list(queues) == [invoker.queue.name] else list(queues) if in_order else queues
        consumers.append(DjangoConsumer(invoker, replace(config, periodic=periodic, serve_queues=serve_queues)))
        if len(queues) > 1 and config.threads is not None:
            log.warning(
                "THREADS is %d: so many commands run at once in all %d queues together, and not in each; WORKERS means "
                "the same, without this warning",
                config.threads,
                len(queues),
            )
    return consumers


def invoker_in_process(queue_name: str) -> DjangoInvoker:
    """Load the project in a process of a consumer's worker pool, and return the invoker of that consumer.

    Args:
        queue_name: The name of its queue.

    Raises:
        ConfigurationError: There is no such queue, or several servers have one.
        Exception: What the project's modules raise.
    """
    django.setup()
    autodiscover()
    invokers = list(invokers_to_serve())
    if task_aliases():
        from huey_django.tasks.running import with_task_hooks

        for invoker in invokers:
            with_task_hooks(invoker)
    places = {invoker.on_queue(invoker.default_queue) for invoker in invokers}
    found = [invoker for invoker in places if invoker.queue.name == queue_name]
    if len(found) != 1:
        raise ConfigurationError(
            f"the worker pool 'process' finds {len(found)} servers with the queue {queue_name!r} in the settings, and "
            "needs one: give each a name of its own"
        )
    [invoker] = found
    invoker.plugins.register(DJANGO_HOOKS, "huey_django")
    return invoker


def invokers_to_serve(queues: Iterable[str] = ()) -> dict[DjangoInvoker, str]:
    """The invokers of the queues with these names, in the project and in every alias of ``TASKS``, with the names.

    Args:
        queues: The names, in order; none for the project's own queue and those that ``TASKS`` lists. A name that is not
            listed is that of a queue beside the project's own, as :func:`~huey_django.get_invoker` has it.

    Raises:
        SettingsError: A setting is missing or cannot be used.
    """
    own = project_invoker()
    known = [] if own is None else [(DEFAULT_QUEUE, own)]
    for alias in task_aliases():
        from huey_django.tasks import invokers_of

        try:
            known.extend(invokers_of(alias.name).items())
        except SettingsError as error:
            raise SettingsError(f"TASKS[{alias.name!r}]: {error.message}", error.hint, error.check_id) from error
    names = list(queues) or list(dict.fromkeys(name for name, _ in known))
    wanted = known + [(name, get_invoker(name)) for name in names if name not in dict(known)]
    # An alias without a location of its own names the project's invokers once more.
    return {invoker: name for each in names for name, invoker in wanted if name == each}


def check_that_others_can_write(queue: BaseQueue, always_eager: bool) -> None:
    """Refuse a queue to which no other process can write.

    Raises:
        ConfigurationError: It is one; the message says what to do.
    """
    if always_eager or isinstance(queue, EagerQueue):
        raise ConfigurationError(
            "HUEY_CONFIG['ALWAYS_EAGER'] is on: commands run at once where they are called, and there is nothing for "
            "a consumer to do; remove it, and set HUEY to a URL"
        )
    if is_of_one_process(queue):
        raise ConfigurationError(
            f"{queue!r} does not declare 'persistent', as one in the memory of one process does not, so this one may "
            "never see a command that another has enqueued; set HUEY to the URL of a server, or of a file: "
            "sqlite:////var/lib/site/queue.sqlite3"
        )

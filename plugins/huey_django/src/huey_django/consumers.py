"""The consumers of ``run_huey``: one for each queue, in one process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from huey_core.consumer import Consumer, TickWriter
from huey_core.exceptions import ConfigurationError
from huey_django.conf import SettingsError, task_aliases
from huey_django.eager import EagerQueue
from huey_django.hooks import DJANGO_HOOKS, as_in_a_request
from huey_django.invokers import DEFAULT_QUEUE, get_invoker, is_of_one_process, project_invoker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core import Invoker
    from huey_core.backends import BaseQueue
    from huey_core.consumer import ConsumerConfig
    from huey_django.invoker import DjangoInvoker

__all__ = ["DjangoConsumer", "invokers_to_serve", "make_consumers"]


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
        super().__init__(invoker, config)

    def make_tick_writer(self, invoker: Invoker) -> TickWriter:
        """Make what writes the ticks of the periodic commands of an invoker's queue."""
        return DjangoTickWriter(invoker, self.config.utc)


class DjangoTickWriter(TickWriter):
    """Asks periodic commands whether they are due, which a command may look up in a database."""

    def write(self, now: float) -> int:
        """Write what is due; see :meth:`TickWriter.write`."""
        with as_in_a_request():
            return super().write(now)


def make_consumers(queues: Sequence[str], config: ConsumerConfig) -> list[DjangoConsumer]:
    """Make a consumer for each queue. Periodic commands are left to the project's own queue.

    Args:
        queues: The names of the queues; see :func:`invokers_to_serve`.
        config: The settings of each of them.

    Raises:
        SettingsError: A setting is missing or cannot be used.
        ConfigurationError: A queue cannot be served by a process of its own.
    """
    invokers = invokers_to_serve(queues)
    if not invokers:
        raise ConfigurationError("there is no queue to serve: TASKS lists none; name one with --queue")
    for invoker in invokers:
        check_that_others_can_write(invoker.queue, invoker.always_eager)
    if task_aliases():
        # All of them: a queue may be that of an alias by another spelling of its URL, or once have been.
        from huey_django.tasks.running import with_task_hooks

        invokers = [with_task_hooks(invoker) for invoker in invokers]
    own = project_invoker()
    return [
        DjangoConsumer(invoker, replace(config, periodic=config.periodic and invoker is own)) for invoker in invokers
    ]


def invokers_to_serve(queues: Sequence[str] = ()) -> list[DjangoInvoker]:
    """The invokers of the queues with these names, in the project and in every alias of ``TASKS``.

    Args:
        queues: The names; none for the project's own queue and those that ``TASKS`` lists. A name that is not listed
            is that of a queue beside the project's own, as :func:`~huey_django.get_invoker` makes it.

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
    wanted = [invoker for name, invoker in known if not queues or name in queues]
    wanted.extend(get_invoker(name) for name in queues if name not in dict(known))
    # An alias without a location of its own names the project's invokers once more.
    return list(dict.fromkeys(wanted))


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

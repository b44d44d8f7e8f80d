"""The project's invokers: made from the settings when they are first needed, and made anew when the settings change."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string

from huey_core.backends import BaseDataStore, BaseQueue, Capability, LeasedQueue, PerProcess
from huey_core.exceptions import QueueException
from huey_django.conf import NO_QUEUE, HueySettings, SettingsError, is_url, no_queue, sentence, task_aliases
from huey_django.invoker import DjangoInvoker

if TYPE_CHECKING:
    from huey_django.conf import Location

__all__ = [
    "DEFAULT_QUEUE",
    "ProjectInvokers",
    "get_invoker",
    "is_of_one_process",
    "project_invoker",
    "project_invokers",
    "reset",
]

DEFAULT_QUEUE: Final = "default"
"""The name by which :func:`get_invoker` knows the queue that the settings name."""


def get_invoker(queue: str = DEFAULT_QUEUE) -> DjangoInvoker:
    """The project's invoker. Nothing connects before it is used.

    Args:
        queue: ``"default"`` for the queue that the settings name, or the name of another one at the same location, as
            the option ``queue`` of commands and ``django.tasks`` have them: its :meth:`~huey_core.Invoker.on_queue`.

    Raises:
        SettingsError: A setting is missing or cannot be used; or there can be no other queue beside that of the
            settings, because they give an object.
    """
    return project_invokers().get(queue)


def project_invokers() -> ProjectInvokers:
    """The invokers of the queue that the settings name, and of those beside it.

    Raises:
        SettingsError: A setting is missing or cannot be used.
    """
    global _project  # noqa: PLW0603 - one for a process, as the settings are
    with _lock():
        if _project is None:
            _project = ProjectInvokers(HueySettings.load())
        return _project


def project_invoker() -> DjangoInvoker | None:
    """The invoker of the queue that the settings name; ``None`` if they name none and every task has another location.

    Raises:
        SettingsError: As for :func:`get_invoker`.
    """
    try:
        return get_invoker()
    except SettingsError as error:
        aliases = task_aliases()
        if error.check_id == NO_QUEUE and aliases and all(alias.has_location for alias in aliases):
            return None
        raise


def is_of_one_process(queue: BaseQueue) -> bool:
    """Whether a queue is in the memory of the process that writes to it. A plain queue does not say."""
    return isinstance(queue, LeasedQueue) and Capability.PERSISTENT not in queue.capabilities


def reset() -> None:
    """Forget the project's invokers and close their connections; the next use reads the settings again."""
    global _project  # noqa: PLW0603 - one for a process, as the settings are
    with _lock():
        if _project is not None:
            _project.close()
        _project = None


class ProjectInvokers:
    """The invokers of one set of settings, one for each queue.

    Args:
        settings: The settings.

    Raises:
        SettingsError: A queue or a store cannot be made.
    """

    def __init__(self, settings: HueySettings) -> None:
        self.settings = settings.in_memory() if settings.always_eager else settings
        self._invoker = self._default()

    def get(self, queue: str = DEFAULT_QUEUE) -> DjangoInvoker:
        """The invoker of a queue; see :func:`get_invoker`."""
        if queue == DEFAULT_QUEUE:
            return self._invoker
        try:
            return self._invoker.on_queue(queue)
        except (QueueException, TypeError) as error:
            raise SettingsError(
                sentence(f"There can be no queue {queue!r} beside that of the settings: {error}"),
                check_id="huey_django.E003",
            ) from error

    def close(self) -> None:
        """Give back the connections."""
        self._invoker.close()

    def _default(self) -> DjangoInvoker:
        settings = self.settings
        queue = _opened(settings.queue, BaseQueue)
        if queue is None:
            raise no_queue()
        try:
            invoker = DjangoInvoker(
                queue,
                _opened(settings.result_store, BaseDataStore),
                _opened(settings.task_store, BaseDataStore),
                always_eager=settings.always_eager,
                on_commit=settings.on_commit,
                **settings.invoker,
            )
        except QueueException as error:
            raise SettingsError(
                sentence(f"The task queue cannot be used: {error}"),
                "'huey plugins' lists what is installed.",
                check_id="huey_django.E003",
            ) from error
        if invoker.serializer.name not in invoker.accepted:
            raise SettingsError(
                f"HUEY_CONFIG['ACCEPT'] lacks {invoker.serializer.name!r}, which this project writes with, so it could "
                "read none of its own messages.",
                "Add it, or leave the key out to accept that one only.",
            )
        return invoker


def _opened(location: Location, kind: type[BaseQueue] | type[BaseDataStore]) -> Any:
    """The queue or store at a location; a URL is left to the invoker, which lets equal ones share connections."""
    value = location.value
    if value is None or is_url(value) or isinstance(value, kind):
        return value
    try:
        made = (import_string(value) if isinstance(value, str) else value)(location.name, **location.connection)
    except (ImportError, TypeError, ValueError, QueueException) as error:
        raise SettingsError(
            sentence(f"HUEY_CONFIG[{location.key!r}] cannot be used: {error}"),
            "Give a URL, the dotted path of a class, or an instance.",
            check_id="huey_django.E003",
        ) from error
    if not isinstance(made, kind):
        raise SettingsError(
            f"HUEY_CONFIG[{location.key!r}] makes a {type(made).__name__}, which is no {kind.__name__}.",
            check_id="huey_django.E003",
        )
    return made


@receiver(setting_changed)
def _follow(*, setting: str, **_: Any) -> None:
    if setting in {"HUEY", "HUEY_CONFIG", "DATABASES"}:
        reset()


# A plugin that the settings name may ask for the invoker while it is imported, in the same thread.
_lock = PerProcess(threading.RLock)
_project: ProjectInvokers | None = None

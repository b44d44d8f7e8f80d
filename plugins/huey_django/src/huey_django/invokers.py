"""The project's invokers: made from the settings when they are first needed, and made anew when the settings change."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string

from huey_core.backends.base import BaseDataStore, BaseQueue
from huey_core.exceptions import QueueException
from huey_core.invoker.opened import STATE_PREFIX
from huey_django.conf import HueySettings, SettingsError, is_url
from huey_django.eager import EagerQueue
from huey_django.invoker import DjangoInvoker

if TYPE_CHECKING:
    from huey_django.conf import Place

__all__ = ["DEFAULT_QUEUE", "ProjectInvokers", "get_invoker", "reset"]

T = TypeVar("T", BaseQueue, BaseDataStore)

DEFAULT_QUEUE: Final = "default"
"""The name by which :func:`get_invoker` knows the queue that the settings name."""


def get_invoker(queue: str = DEFAULT_QUEUE) -> DjangoInvoker:
    """The project's invoker. Nothing connects before it is used.

    Args:
        queue: ``"default"`` for the queue that the settings name, or the name of another one at the same place, as
            ``django.tasks`` has them: it is called ``QUEUE:name`` on the server and shares connections and result
            store with the default one.

    Raises:
        SettingsError: A setting is missing or cannot be used.
    """
    global _project  # noqa: PLW0603 - one for a process, as the settings are
    with _lock:
        if _project is None:
            _project = ProjectInvokers(HueySettings.load())
        return _project.get(queue)


def reset() -> None:
    """Forget the project's invokers and close their connections; the next use reads the settings again."""
    global _project  # noqa: PLW0603 - one for a process, as the settings are
    with _lock:
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
        self.settings = settings
        self._lock = threading.Lock()
        self._invokers: dict[str, DjangoInvoker] = {DEFAULT_QUEUE: self._default()}

    def get(self, queue: str = DEFAULT_QUEUE) -> DjangoInvoker:
        """The invoker of a queue; see :func:`get_invoker`."""
        with self._lock:
            if queue not in self._invokers:
                self._invokers[queue] = self._named(queue)
            return self._invokers[queue]

    def close(self) -> None:
        """Give back the connections."""
        for invoker in self._invokers.values():
            invoker.close()

    def _default(self) -> DjangoInvoker:
        settings = self.settings
        queue = _opened(settings.queue, BaseQueue)
        try:
            return DjangoInvoker(
                EagerQueue(settings.queue.name) if queue is None else queue,
                _opened(settings.result_store, BaseDataStore),
                _opened(settings.task_store, BaseDataStore),
                always_eager=settings.always_eager,
                on_commit=settings.on_commit,
                **settings.invoker,
            )
        except QueueException as error:
            raise SettingsError(f"The task queue cannot be used: {error}.", check_id="huey_django.E003") from error

    def _named(self, queue: str) -> DjangoInvoker:
        default = self._invokers[DEFAULT_QUEUE]
        name = f"{default.queue.name}:{queue}"
        its_queue: BaseQueue
        task_store: BaseDataStore | None = None
        if is_url(self.settings.queue.value):
            backend = default.backends[0]
            its_queue, task_store = backend.queue(name), backend.data_store(STATE_PREFIX + name)
        else:
            its_queue = _sibling(default.queue, name)
            if default.task_store is not None:
                task_store = _sibling(default.task_store, STATE_PREFIX + name)
        return DjangoInvoker(
            its_queue,
            default.result_store,
            task_store,
            default.store_none,
            default.always_eager,
            on_commit=default.on_commit,
            serializer=default.serializer,
            accept=default.accepted.values(),
            result_ttl=default.result_ttl,
            lease=default.lease,
        )


def _opened(place: Place, kind: type) -> Any:
    """The queue or store at a place; a URL is left to the invoker, which lets equal ones share connections."""
    value = place.value
    if value is None or is_url(value) or isinstance(value, kind):
        return value
    try:
        made = (import_string(value) if isinstance(value, str) else value)(place.name, **place.connection)
    except (ImportError, TypeError, ValueError, QueueException) as error:
        raise SettingsError(
            f"HUEY_CONFIG[{place.key!r}] cannot be used: {error}.",
            "Give a URL, the dotted path of a class, or an instance.",
            check_id="huey_django.E003",
        ) from error
    if not isinstance(made, kind):
        raise SettingsError(
            f"HUEY_CONFIG[{place.key!r}] makes a {type(made).__name__}, which is no {kind.__name__}.",
            check_id="huey_django.E003",
        )
    return made


def _sibling(one: T, name: str) -> T:
    """Another queue or store of the same kind and with the same connection."""
    return type(one)(name, **one.connection)


@receiver(setting_changed)
def _follow(*, setting: str, **_: Any) -> None:
    if setting in {"HUEY", "HUEY_CONFIG", "DATABASES"}:
        reset()


_lock = threading.Lock()
_project: ProjectInvokers | None = None

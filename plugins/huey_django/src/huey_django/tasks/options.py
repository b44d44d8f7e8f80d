"""What ``OPTIONS`` in the setting ``TASKS`` says: where the queues of a backend are, and how its tasks are run.

============== ===============================================================================================
``URL``        where the queues and the results are; the project's queue and its neighbours where it is left out, or
               where this is that queue's own URL
``ON_COMMIT``  as in ``HUEY_CONFIG``, and from there where it is left out
``RETRIES``    and the other options of a :class:`~huey_django.tasks.task.HueyTask`, in upper case: what holds for
               every task that does not say otherwise
============== ===============================================================================================
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.core.signals import setting_changed
from django.dispatch import receiver

from huey_core.backends import BackendURL, PerProcess
from huey_core.commands import CommandOptions
from huey_core.exceptions import ConfigurationError
from huey_core.secret import hidden, with_secrets_hidden
from huey_core.text import closest
from huey_django.conf import (
    HueySettings,
    Location,
    SettingsError,
    default_queue_name,
    is_on_commit,
    is_url,
    kind_of,
    sentence,
)
from huey_django.invokers import ProjectInvokers, project_invokers
from huey_django.tasks.task import COMMAND_OPTIONS

__all__ = ["BackendOptions", "invokers_at"]

CHECK_ID: Final = "huey_django.E006"

_NAMES: Final = {name.upper(): name for name in COMMAND_OPTIONS}
_KEYS: Final = ("URL", "ON_COMMIT", *_NAMES)


@dataclass(frozen=True)
class BackendOptions:
    """The options of a backend.

    Attributes:
        url: Where its queues are; ``None`` for the project's location.
        on_commit: Which transaction tasks wait for; ``None`` for what the project says.
        command: The options of its tasks.
    """

    url: str | None = field(default=None, repr=False)
    on_commit: bool | str | None = None
    command: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, given: object) -> BackendOptions:
        """Check the options as a project writes them.

        Raises:
            SettingsError: One is unknown, or its value cannot be used.
        """
        if not isinstance(given, Mapping):
            raise _error(f"OPTIONS is a dictionary, not a {kind_of(given)}.")
        given = with_secrets_hidden(given)
        for key in given:
            if key not in _KEYS:
                close = closest(str(key), _KEYS)
                hint = f"Did you mean {close!r}?" if close else f"Its keys are {', '.join(_KEYS)}."
                raise _error(f"OPTIONS has an unknown key {key!r}.", hint)
        url, on_commit = given.get("URL"), given.get("ON_COMMIT")
        if url is not None and not is_url(url):
            # It is not repeated: it may be a password that is in the wrong place.
            raise _error("OPTIONS['URL'] is not a backend URL.", "Write for example 'redis://localhost:6379/0'.")
        if on_commit is not None and not is_on_commit(on_commit):
            raise _error(f"OPTIONS['ON_COMMIT'] is True, False or the alias of a database, not {on_commit!r}.")
        command = {_NAMES[key]: value for key, value in given.items() if key in _NAMES}
        try:
            CommandOptions.build(**command)
        except ConfigurationError as error:
            raise _error(sentence(f"OPTIONS cannot be used: {error}")) from error
        return cls(url, on_commit, command)

    @property
    def for_tasks(self) -> dict[str, Any]:
        """What holds for every task that does not say otherwise."""
        return dict(self.command) if self.on_commit is None else {**self.command, "on_commit": self.on_commit}


def invokers_at(url: str) -> ProjectInvokers:
    """The invokers of the queues at a URL. All else is as the project's settings say.

    At the URL of the project's own queue they are the project's: were there two invokers of one queue, it would have
    two consumers in one process, and be in the admin twice. Results are then where the project keeps them.

    Django makes a backend for every thread; these are the process's.

    Raises:
        SettingsError: The URL or a setting cannot be used.
    """
    url = hidden(url)
    with _lock():
        if url not in _by_url:
            settings, location = HueySettings.load(), _location_of(url)
            its_own = replace(settings, queue=location, result_store=location, task_store=location)
            _by_url[url] = None if _are_same(location, settings.queue) else ProjectInvokers(its_own)
        found = _by_url[url]
    return project_invokers() if found is None else found


def _location_of(url: str) -> Location:
    url = hidden(url)
    try:
        parsed = BackendURL.parse(url)
    except ConfigurationError as error:
        raise _error(sentence(f"OPTIONS['URL'] cannot be used: {error}")) from error
    name = dict(parsed.query).get("queue")
    if name is None:
        name = default_queue_name()
        parsed = replace(parsed, query=(*parsed.query, ("queue", name)))
    return Location("OPTIONS['URL']", hidden(parsed.render(hide_password=False)), name)


def _are_same(location: Location, other: Location) -> bool:
    """Whether two locations have the same URL, in whatever order its options are written."""
    return is_url(other.value) and _unordered(location.value) == _unordered(other.value)


def _unordered(url: str) -> BackendURL:
    url = hidden(url)
    parsed = BackendURL.parse(url)
    return replace(parsed, query=tuple(sorted(parsed.query)))


def _error(message: str, hint: str | None = None) -> SettingsError:
    return SettingsError(message, hint, check_id=CHECK_ID)


@receiver(setting_changed)
def _follow(*, setting: str, **_: Any) -> None:
    if setting not in {"TASKS", "HUEY", "HUEY_CONFIG", "DATABASES"}:
        return
    with _lock():
        for invokers in _by_url.values():
            if invokers is not None:
                invokers.close()
        _by_url.clear()


_lock = PerProcess(threading.RLock)
_by_url: dict[str, ProjectInvokers | None] = {}
"""``None`` stands for the project's, which the settings may replace."""

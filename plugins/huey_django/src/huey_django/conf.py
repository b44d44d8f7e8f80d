"""The settings ``HUEY`` and ``HUEY_CONFIG``, read and checked as far as that is possible without a server.

``HUEY`` is a backend URL. ``HUEY_CONFIG`` is a dictionary with the keys of :data:`KEYS`. Either is enough; with both,
the URL is that of the queue and the dictionary says the rest.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import django
from django.conf import ENVIRONMENT_VARIABLE, settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from huey_core.backends import BackendURL, parse_positive_size
from huey_core.consumer import ConsumerConfig
from huey_core.exceptions import ConfigurationError, QueueException
from huey_core.invoker import STATE_PREFIX
from huey_core.secret import hidden, with_secrets_hidden
from huey_core.text import closest
from huey_django.eager import EagerQueue

__all__ = [
    "KEYS",
    "HueySettings",
    "Location",
    "SettingsError",
    "TaskAlias",
    "common_queue_name",
    "default_queue_name",
    "is_on_commit",
    "is_url",
    "kind_of",
    "no_queue",
    "queues_of_settings",
    "sentence",
    "task_aliases",
]

CONSUMER_KEYS: Final[Mapping[str, Any]] = {each.name.upper(): each.default for each in fields(ConsumerConfig)}

KEYS: Final[Mapping[str, Any]] = {
    "QUEUE": None,
    "QUEUE_NAME": None,
    "QUEUE_CONNECTION": None,
    "RESULT_STORE": None,
    "RESULT_STORE_NAME": None,
    "RESULT_STORE_CONNECTION": None,
    "TASK_STORE": None,
    "TASK_STORE_NAME": None,
    "TASK_STORE_CONNECTION": None,
    "STORE_NONE": False,
    "SERIALIZER": None,
    "ACCEPT": None,
    "RESULT_TTL": None,
    "MAX_BODY_SIZE": None,
    "PLUGINS": (),
    "CHECK_ARGUMENTS": True,
    "ALWAYS_EAGER": False,
    "ON_COMMIT": True,
    **CONSUMER_KEYS,
}
"""Every key of ``HUEY_CONFIG``, with its default."""

KINDS: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "QUEUE_NAME": ((str,), "a text"),
    "RESULT_STORE_NAME": ((str,), "a text"),
    "TASK_STORE_NAME": ((str,), "a text"),
    "QUEUE_CONNECTION": ((Mapping,), "a dictionary"),
    "RESULT_STORE_CONNECTION": ((Mapping,), "a dictionary"),
    "TASK_STORE_CONNECTION": ((Mapping,), "a dictionary"),
    "ACCEPT": ((list, tuple, set, frozenset), "a list of serializers"),
    "PLUGINS": ((list, tuple), "a list of plugins"),
    "PERIODIC": ((bool,), "True or False"),
    "LEASE": ((int, float), "a number of seconds"),
    "HEALTH_FILE": ((str, PathLike), "a path"),
    "LOGFILE": ((str, PathLike), "a path"),
    "LOGLEVEL": ((int, str), "the name of a level"),
}
"""What else than ``None`` the values of some keys are, in words as well. The others are judged by who takes them."""

_AS_SAID: Final[Mapping[str, Callable[[str], Any]]] = {"serializer": str, "max_body_size": parse_positive_size}
"""Options of the queue's URL that matter without a queue as well, and what reads them."""

_COMMON_NAMES: Final = frozenset(
    {
        "app",
        "backend",
        "conf",
        "config",
        "core",
        "django_project",
        "main",
        "project",
        "server",
        "settings",
        "site",
        "src",
    }
)
"""What projects call the package of their settings when they do not give it their own name."""

_OF_ITS_OWN: Final = frozenset({"memory", "sqlite"})
"""The schemes of locations that no other project uses by accident."""

EXAMPLE: Final = 'HUEY = "redis://localhost:6379/0"'

LEAVE_OUT: Final = "Correct the value, or leave the key out for its default."

NO_QUEUE: Final = "huey_django.E001"


class SettingsError(ImproperlyConfigured):
    """A setting is missing or cannot be used.

    Args:
        message: What is wrong, naming the setting.
        hint: What to do about it.
        check_id: The identifier of the system check that reports it.
    """

    def __init__(self, message: str, hint: str | None = None, check_id: str = "huey_django.E002") -> None:
        super().__init__(message if hint is None else f"{message} {hint}")
        self.message = message
        self.hint = hint
        self.check_id = check_id


@dataclass(frozen=True)
class Location:
    """Where a queue or a store is.

    Attributes:
        key: The setting that says so.
        value: A backend URL, which then has the name in it; the dotted path of a class; a class; an instance; or
            ``None``.
        name: The name of the queue or the store.
        connection: The keyword arguments of the class.
    """

    key: str
    value: Any = field(repr=False)
    name: str
    connection: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class HueySettings:
    """The settings of a project.

    Attributes:
        queue: Where commands are written.
        result_store: Where results are kept.
        task_store: Where the consumer keeps its own state.
        always_eager: Whether commands run at once, in the caller.
        on_commit: Which transaction commands wait for; see :class:`~huey_django.invoker.DjangoInvoker`.
        invoker: Further arguments of the invoker.
        consumer: The settings of ``run_huey``, by their names in lower case.
    """

    queue: Location
    result_store: Location
    task_store: Location
    always_eager: bool
    on_commit: bool | str
    invoker: Mapping[str, Any]
    consumer: Mapping[str, Any]

    @classmethod
    def load(cls) -> HueySettings:
        """Read the project's settings. That they name no queue is an error only for who needs one.

        Raises:
            SettingsError: One is unknown or cannot be used.
        """
        given = _given()
        values = {**KEYS, **given}
        queue = _queue(values)
        if is_url(queue.value):
            # One URL is a location for everything, as it is for Invoker.from_url().
            values = {**KEYS, "RESULT_STORE": queue.value, "TASK_STORE": queue.value, **given}
        arguments = {
            "SERIALIZER": "serializer",
            "ACCEPT": "accept",
            "RESULT_TTL": "result_ttl",
            "MAX_BODY_SIZE": "max_body_size",
            "STORE_NONE": "store_none",
            "CHECK_ARGUMENTS": "check_arguments",
        }
        loaded = cls(
            queue=queue,
            result_store=_store("RESULT_STORE", values, queue.name),
            task_store=_store("TASK_STORE", values, queue.name),
            always_eager=values["ALWAYS_EAGER"],
            on_commit=values["ON_COMMIT"],
            invoker={argument: given[key] for key, argument in arguments.items() if key in given}
            | {"plugins": [_plugin(each) for each in values["PLUGINS"] or ()]},
            consumer={key.lower(): given[key] for key in CONSUMER_KEYS if given.get(key) is not None},
        )
        loaded.consumer_config()
        return loaded

    def in_memory(self) -> HueySettings:
        """The same with nothing outside of this process, which is all that commands need that run at once.

        What is stored is this one's alone. The serializer and its limit are still those that the queue's URL says, for
        what they refuse is to fail here as well.
        """
        from huey_memory import MemoryDataStore

        said = dict(BackendURL.parse(self.queue.value).query) if is_url(self.queue.value) else {}
        in_url = {option: read(said[option]) for option, read in _AS_SAID.items() if option in said}
        space = {"space": f"huey_django:{uuid4()}"}

        def kept(location: Location) -> Location:
            return location if location.value is None else replace(location, value=MemoryDataStore, connection=space)

        return replace(
            self,
            queue=replace(self.queue, value=EagerQueue, connection={}),
            result_store=kept(self.result_store),
            task_store=kept(self.task_store),
            invoker={**in_url, **self.invoker},
        )

    def consumer_config(self, **overrides: Any) -> ConsumerConfig:
        """The consumer's settings; ``overrides`` that are not ``None`` go before the project's.

        Raises:
            SettingsError: A value cannot be used.
        """
        try:
            return ConsumerConfig.of(self.consumer, overrides)
        except ConfigurationError as error:
            raise SettingsError(sentence(f"HUEY_CONFIG cannot be used: {error}"), LEAVE_OUT) from error


@dataclass(frozen=True)
class TaskAlias:
    """An alias of Django's setting ``TASKS`` whose backend is ours.

    Attributes:
        name: The alias.
        has_location: Whether it says by itself where its queues are; otherwise they are beside the project's queue.
    """

    name: str
    has_location: bool


def task_aliases() -> list[TaskAlias]:
    """The aliases in the setting ``TASKS`` that have our backend, or a subclass; none where Django has no tasks."""
    given = getattr(settings, "TASKS", None)
    if django.VERSION < (6, 0) or not isinstance(given, Mapping):
        return []
    ours = []
    for name, params in given.items():
        try:
            backend = import_string(params["BACKEND"])
        except (ImportError, KeyError, TypeError):
            # What is wrong with it, Django says.
            continue
        if isinstance(backend, type) and getattr(backend, "is_served_by_run_huey", False):
            options = params.get("OPTIONS")
            ours.append(TaskAlias(name, isinstance(options, Mapping) and options.get("URL") is not None))
    return ours


def queues_of_settings() -> list[str]:
    """The names in ``SERVE_QUEUES``; none where that is not set, or is what the settings' own check refuses."""
    config = getattr(settings, "HUEY_CONFIG", None)
    served = config.get("SERVE_QUEUES") if isinstance(config, Mapping) else None
    return [name for name in served if isinstance(name, str)] if isinstance(served, Mapping | list | tuple) else []


def no_queue(command: str | None = None) -> SettingsError:
    """The error of a project that says nowhere where its queue is.

    Args:
        command: The name of a command that would need one, where others do not.
    """
    needed = "" if command is None else f" for the command {command}"
    return SettingsError(
        f"No queue is configured{needed}: neither HUEY nor HUEY_CONFIG['QUEUE'] is set.",
        f"Set {EXAMPLE}, or HUEY_CONFIG = {{'ALWAYS_EAGER': True}} to run commands at once.",
        check_id=NO_QUEUE,
    )


def default_queue_name() -> str:
    """A name that two projects on one server do not share by accident.

    That of the default database, or of the package of the settings where the database is a file: the file of every new
    project has the same name. ``huey`` where there is neither.
    """
    database = settings.DATABASES.get("default", {})
    name = str(database.get("NAME") or "")
    if name in {"", ":memory:"}:
        return "huey"
    # While tests run, the name is a URI of their own, and so the queue is another one, too.
    if str(database.get("ENGINE")).endswith((".sqlite3", ".spatialite")) and not name.startswith("file:"):
        return os.environ.get(ENVIRONMENT_VARIABLE, "").partition(".")[0] or "huey"
    return Path(name).name


def common_queue_name() -> str | None:
    """The name of the project's queue on a server, if none was given and its default is one that many projects have.

    Raises:
        SettingsError: A setting cannot be used.
    """
    values = {**KEYS, **_given()}
    if not is_url(values["QUEUE"]) or values["QUEUE_NAME"] is not None:
        return None
    url = _parsed("QUEUE", values)
    name = default_queue_name()
    return name if name in _COMMON_NAMES and "queue" not in dict(url.query) and url.scheme not in _OF_ITS_OWN else None


def _given() -> dict[str, Any]:
    """The keys that the project sets, ``HUEY`` among them as ``QUEUE``."""
    url, config = hidden(getattr(settings, "HUEY", None)), getattr(settings, "HUEY_CONFIG", None)
    config = with_secrets_hidden(config) if isinstance(config, Mapping) else config
    if url is not None and not is_url(url):
        raise SettingsError("HUEY is not a backend URL.", f"Write for example {EXAMPLE}; a dictionary is HUEY_CONFIG.")
    if config is not None and not isinstance(config, Mapping):
        raise SettingsError(f"HUEY_CONFIG is a dictionary, not a {type(config).__name__}.", f"A URL is {EXAMPLE}.")
    given = dict(config or {})
    for key in given:
        if key not in KEYS:
            close = closest(str(key), KEYS)
            hint = f"Did you mean {close!r}?" if close else f"Its keys are {', '.join(KEYS)}."
            raise SettingsError(f"HUEY_CONFIG has an unknown key {key!r}.", hint)
    for key in ("ALWAYS_EAGER", "BURST", "CHECK_ARGUMENTS", "STORE_NONE", "UTC"):
        if not isinstance(given.get(key, False), bool):
            raise SettingsError(f"HUEY_CONFIG[{key!r}] is True or False, not {given[key]!r}.", LEAVE_OUT)
    for key, (kinds, words) in KINDS.items():
        if not isinstance(given.get(key), (*kinds, type(None))):
            raise SettingsError(f"HUEY_CONFIG[{key!r}] is {words}, not a {kind_of(given[key])}.", LEAVE_OUT)
    if not is_on_commit(given.get("ON_COMMIT", True)):
        raise SettingsError(
            f"HUEY_CONFIG['ON_COMMIT'] is True, False or the alias of a database, not {given['ON_COMMIT']!r}.",
            f"The aliases are {', '.join(map(repr, settings.DATABASES)) or 'none'}.",
        )
    if url is not None:
        if "QUEUE" in given:
            raise SettingsError("HUEY and HUEY_CONFIG['QUEUE'] both say where the queue is.", "Remove one of them.")
        given["QUEUE"] = url
    return given


def _plugin(given: Any) -> Any:
    """The plugin of a dotted path, or a plugin that is an object already; a name to block (``"no:NAME"``) stays one."""
    from huey_core.plugins import PluginManager

    if isinstance(given, str) and given.startswith("no:"):
        return given
    try:
        plugin = import_string(given) if isinstance(given, str) else given
        if not PluginManager([plugin], installed=False).hooks():
            what = given if isinstance(given, str) else f"an object of type {type(given).__name__}"
            raise ConfigurationError(f"{what} has no hooks")
    except (ImportError, TypeError, ValueError, QueueException) as error:
        raise SettingsError(
            sentence(f"HUEY_CONFIG['PLUGINS'] cannot be used: {error}"),
            "Give the dotted path of a module or an object with hooks, the object itself, or 'no:NAME'.",
            check_id="huey_django.E003",
        ) from error
    return plugin


def is_on_commit(value: object) -> bool:
    """Whether a value says which transaction to wait for: ``True``, ``False``, or the alias of a database."""
    return isinstance(value, bool) or (isinstance(value, str) and value in settings.DATABASES)


def _queue(values: Mapping[str, Any]) -> Location:
    value, name = values["QUEUE"], values["QUEUE_NAME"]
    if not is_url(value):
        return _built("QUEUE", values, name or default_queue_name())
    url = _parsed("QUEUE", values)
    if name is not None:
        url = _with_option("QUEUE", url, "queue", name)
    elif "queue" not in dict(url.query):
        url = _with_option("QUEUE", url, "queue", default_queue_name())
    return Location("QUEUE", hidden(url.render(hide_password=False)), dict(url.query)["queue"])


def _store(key: str, values: Mapping[str, Any], queue_name: str) -> Location:
    name = values[f"{key}_NAME"] or (STATE_PREFIX + queue_name if key == "TASK_STORE" else queue_name)
    if not is_url(values[key]):
        return _built(key, values, name)
    url = _parsed(key, values)
    if "queue" not in dict(url.query):
        url = _with_option(key, url, "queue", queue_name)
    if values[f"{key}_NAME"] is not None:
        if key == "TASK_STORE":
            raise SettingsError(
                "TASK_STORE is a URL, so TASK_STORE_NAME would not be used: the store is named after the queue.",
                "Remove it, or set TASK_STORE to the dotted path of a class.",
            )
        url = _with_option(key, url, "results", values[f"{key}_NAME"])
    return Location(key, hidden(url.render(hide_password=False)), name)


def _built(key: str, values: Mapping[str, Any], name: str) -> Location:
    value = values[key]
    if not isinstance(value, str | type):
        # Without a queue, another error says more.
        for unused in (f"{key}_NAME", f"{key}_CONNECTION") if value is not None or key != "QUEUE" else ():
            if values.get(unused) is not None:
                raise SettingsError(
                    f"HUEY_CONFIG[{unused!r}] would not be used, because {key} names no class.",
                    f"Remove it, or set {key} to the dotted path of a class.",
                )
    return Location(key, value, name, values[f"{key}_CONNECTION"] or {})


def _parsed(key: str, values: Mapping[str, Any]) -> BackendURL:
    if values[f"{key}_CONNECTION"] is not None:
        raise SettingsError(f"{key} is a URL, so {key}_CONNECTION would not be used.", "Put its values into the URL.")
    try:
        return BackendURL.parse(values[key])
    except ConfigurationError as error:
        setting = "HUEY" if key == "QUEUE" and getattr(settings, "HUEY", None) is not None else f"HUEY_CONFIG[{key!r}]"
        raise SettingsError(sentence(f"{setting} cannot be used: {error}"), f"Write for example {EXAMPLE}.") from error


def _with_option(key: str, url: BackendURL, option: str, value: str) -> BackendURL:
    if option in dict(url.query):
        raise SettingsError(f"The URL of {key} has {option}=, and {key}_NAME is set, too.", "Remove one of them.")
    return replace(url, query=(*url.query, (option, value)))


def sentence(text: str) -> str:
    """The text with a full stop behind it, unless it is a question: an error of somebody else may bring its own."""
    return text if text.endswith("?") else f"{text.rstrip('.')}."


def kind_of(value: object) -> str:
    """What a setting's value is: text that is hidden is text all the same."""
    return "str" if isinstance(value, str) else type(value).__name__


def is_url(value: object) -> bool:
    """Whether a setting is a URL, and not the path of a class."""
    return isinstance(value, str) and "://" in value

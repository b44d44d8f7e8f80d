"""The consumer's settings as a class that an application writes."""

from __future__ import annotations

import importlib
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from huey_core.commands.sharing import serializer_conflicts
from huey_core.exceptions import ConfigurationError
from huey_core.invoker.invoker import Invoker
from huey_core.settings import ConsumerConfig
from huey_core.text import did_you_mean

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

__all__ = ["BaseConfiguration", "load_configuration", "read_configuration", "settings_for"]

_INSTEAD_OF_INVOKER: Final = ("QUEUE", "RESULT_STORE", "TASK_STORE", "SERIALIZER")


class BaseConfiguration:
    """What a consumer is started with: ``huey_consumer main.Configuration``. Subclass it.

    ::

        class Configuration(BaseConfiguration):
            INVOKER = invoker
            WORKERS = 8

    Attributes:
        INVOKER: The application's invoker. Instead of it, as in the original API, ``QUEUE`` and the stores can be
            given, but not beside it; commands are then found in the process's default registry.
        QUEUE: A queue, or a backend URL.
        RESULT_STORE: A data store for results, a backend URL, or ``None``.
        TASK_STORE: A data store for the consumer's own state, a backend URL, or ``None``.
        SERIALIZER: The name of the serializer, or a serializer, when the invoker is built from ``QUEUE``; ``None``
            for what its URL says, or ``json``.
        SERVE_QUEUES: The names of the queues that it serves: a dictionary of their weights, or a list, in strict order;
            ``None`` for the invoker's queue alone.
        BURST: Whether the consumer ends when nothing is ready.
        BURST_WAIT: Seconds within which a message has to be due for a burst to wait for it.
        PERIODIC: Whether this consumer runs periodic commands, and what has a schedule made at run time. It may be on
            in every consumer. ``None`` for yes, and in a burst for no: one with ``True`` runs those that are due when
            it begins.
        WORKER_TYPE: The name of the worker pool that runs commands: ``"thread"``, ``"process"``, ``"asyncio"``, or one
            that a plugin offers.
        WORKERS: How many commands run at once; ``None`` for what suits the worker pool: 4 threads, a process for each
            core, or 100 tasks of an event loop.
        THREADS: The same for the worker pool ``"thread"``, by its name of the original API.
        EVENT_LOOP: The kind of event loop of the worker pool ``"asyncio"``: ``"asyncio"``, or ``"uvloop"``, which needs
            ``huey-core[uvloop]``.
        MAX_COMMANDS: After how many commands a process of the pool is replaced by another; with a pool that runs them
            in the consumer's own, the consumer starts again as after SIGHUP. ``None`` for never.
        MAX_MEMORY: The same for how many MiB of memory such a process takes.
        HEARTBEAT: Seconds between two heartbeats: the record that others see, and the touches of ``HEALTH_FILE``. A
            consumer that gave none for three times as long is taken for dead.
        HEALTH_FILE: A file that is touched so often while the consumer is healthy, and removed when it stops; ``None``
            for none.
        LEASE: Seconds that a lease lasts unless it is renewed; ``None`` takes the invoker's.
        PREFETCH: The most messages to prefetch, when commands are quick.
        SHUTDOWN_TIMEOUT: Seconds that running commands have to finish when the consumer is told to stop.
        TIMEOUT_GRACE: Seconds that a command has to end whose ``timeout`` is over, or that is cancelled, before it is
            logged that it has not, or before its process is killed.
        UNREADABLE_DELAY: Seconds after which a message that cannot be read, or whose command is unknown, is looked at
            again.
        INITIAL_DELAY: The first pause in seconds after an error of the server, and between two looks into a plain
            queue that cannot wait.
        BACKOFF: Each further pause is the one before, times this.
        MAX_DELAY: The longest pause in seconds.
        UTC: Whether schedules that name no time zone go by UTC; ``False`` for local time.
        LOGFILE: A file to log to; ``None`` logs to standard error.
        LOGLEVEL: The level, as a number or a name.
        LOG_FORMAT: ``"text"``, or ``"json"`` for one JSON object a line.
        LOG_COMMANDS: Whether each command that ended is a line of level INFO in the log.
        LOG_MAX_BYTES: The size in bytes at which the log file is rotated; 0 never does.
        LOG_BACKUPS: How many rotated log files are kept, 1 or more unless ``LOG_MAX_BYTES`` is 0.
    """

    INVOKER: ClassVar[Invoker | None] = None
    QUEUE: ClassVar[Any] = None
    RESULT_STORE: ClassVar[Any] = None
    TASK_STORE: ClassVar[Any] = None
    SERIALIZER: ClassVar[Any] = None
    SERVE_QUEUES: ClassVar[Mapping[str, float] | Sequence[str] | None] = ConsumerConfig.serve_queues
    BURST: ClassVar[bool] = ConsumerConfig.burst
    BURST_WAIT: ClassVar[float] = ConsumerConfig.burst_wait
    PERIODIC: ClassVar[bool | None] = ConsumerConfig.periodic
    WORKER_TYPE: ClassVar[str] = ConsumerConfig.worker_type
    WORKERS: ClassVar[int | None] = ConsumerConfig.workers
    THREADS: ClassVar[int | None] = ConsumerConfig.threads
    EVENT_LOOP: ClassVar[str] = ConsumerConfig.event_loop
    MAX_COMMANDS: ClassVar[int | None] = ConsumerConfig.max_commands
    MAX_MEMORY: ClassVar[int | None] = ConsumerConfig.max_memory
    HEARTBEAT: ClassVar[float] = ConsumerConfig.heartbeat
    HEALTH_FILE: ClassVar[str | os.PathLike[str] | None] = ConsumerConfig.health_file
    LEASE: ClassVar[float | None] = ConsumerConfig.lease
    PREFETCH: ClassVar[int] = ConsumerConfig.prefetch
    SHUTDOWN_TIMEOUT: ClassVar[float] = ConsumerConfig.shutdown_timeout
    TIMEOUT_GRACE: ClassVar[float] = ConsumerConfig.timeout_grace
    UNREADABLE_DELAY: ClassVar[float] = ConsumerConfig.unreadable_delay
    INITIAL_DELAY: ClassVar[float] = ConsumerConfig.initial_delay
    BACKOFF: ClassVar[float] = ConsumerConfig.backoff
    MAX_DELAY: ClassVar[float] = ConsumerConfig.max_delay
    UTC: ClassVar[bool] = ConsumerConfig.utc
    LOGFILE: ClassVar[str | None] = ConsumerConfig.logfile
    LOGLEVEL: ClassVar[int | str] = ConsumerConfig.loglevel
    LOG_FORMAT: ClassVar[str] = ConsumerConfig.log_format
    LOG_COMMANDS: ClassVar[bool] = ConsumerConfig.log_commands
    LOG_MAX_BYTES: ClassVar[int] = ConsumerConfig.log_max_bytes
    LOG_BACKUPS: ClassVar[int] = ConsumerConfig.log_backups


def read_configuration(configuration: BaseConfiguration | type[BaseConfiguration], **overrides: Any) -> ConsumerConfig:
    """Take the settings of a configuration; ``overrides`` that are not ``None`` go before them.

    A setting that does not exist, or whose value cannot be used, is refused.
    """
    known = {name for name in vars(BaseConfiguration) if name.isupper()}
    for name in dir(configuration):
        if name.isupper() and not name.startswith("_") and name not in known:
            hint = did_you_mean(name, known)
            raise ConfigurationError(f"{_name(configuration)} has an unknown setting {name}{hint}")
    values = {field.name: getattr(configuration, field.name.upper()) for field in fields(ConsumerConfig)}
    return ConsumerConfig.of(values, overrides)


def settings_for(
    invoker: Invoker, config: ConsumerConfig | BaseConfiguration | type[BaseConfiguration]
) -> ConsumerConfig:
    """The settings with which a consumer of an invoker is made.

    Raises:
        ConfigurationError: One of the two is none, or the settings are another invoker's, or cannot be used.
    """
    # Typed, but often written by hand. What it is instead is not repeated, for it may be a URL with a password.
    if not isinstance(invoker, Invoker):
        raise ConfigurationError(f"a consumer takes the invoker first, not an object of type {type(invoker).__name__}")
    if isinstance(config, ConsumerConfig):
        return config
    if not isinstance(config, BaseConfiguration) and not (
        isinstance(config, type) and issubclass(config, BaseConfiguration)
    ):
        raise ConfigurationError(
            "a consumer takes its settings as a subclass of BaseConfiguration, as a ConsumerConfig, or singly, as in "
            f"Consumer(invoker, threads=2), and not as an object of type {type(config).__name__}"
        )
    if config.INVOKER is not None and config.INVOKER is not invoker:
        raise ConfigurationError(
            f"{_name(config)} sets INVOKER, which is another one than the consumer is given; give it that one, or the "
            "settings of a class without INVOKER"
        )
    return read_configuration(config)


def _name(configuration: BaseConfiguration | type[BaseConfiguration]) -> str:
    return (configuration if isinstance(configuration, type) else type(configuration)).__name__


def load_configuration(path: str) -> tuple[type[BaseConfiguration], Invoker]:
    """Import a configuration class from its dotted path, such as ``main.Configuration``.

    The current directory is looked into first, as it is for ``python -m``.

    Returns:
        The class, and the invoker that it names or describes.

    Raises:
        ConfigurationError: The path leads nowhere, or names something else. What the module itself raises while it is
            imported passes through.
    """
    module_name, _, class_name = path.rpartition(".")
    if not module_name:
        raise ConfigurationError(f"{path!r} is not a path to a configuration class, such as main.Configuration")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ConfigurationError(f"there is no module {module_name!r} in {Path.cwd()} or on the path") from error
    configuration = getattr(module, class_name, None)
    if not isinstance(configuration, type) or not issubclass(configuration, BaseConfiguration):
        found = [
            name
            for name, value in vars(module).items()
            if isinstance(value, type) and issubclass(value, BaseConfiguration) and value is not BaseConfiguration
        ]
        hint = f"; it has {', '.join(found)}" if found else ""
        if not hasattr(module, class_name):
            raise ConfigurationError(f"{module_name} has no configuration class {class_name!r}{hint}")
        if isinstance(configuration, Invoker) and not found:
            hint = f"; write one with INVOKER = {class_name}"
        kind = "a class" if isinstance(configuration, type) else f"an object of type {type(configuration).__name__}"
        raise ConfigurationError(f"{path} is {kind}, not a subclass of BaseConfiguration{hint}")
    return configuration, invoker_of(configuration)


def invoker_of(configuration: type[BaseConfiguration]) -> Invoker:
    """The invoker that a configuration names, or a new one over the queue and the stores that it names, not both."""
    invoker = configuration.INVOKER
    if invoker is not None:
        # Typed, but written by hand. The value is not repeated, for it may be a URL with a password.
        if not isinstance(invoker, Invoker):
            raise ConfigurationError(
                "INVOKER must be an Invoker, such as Invoker.from_url('redis://localhost/0'), "
                f"not an object of type {type(invoker).__name__}"
            )
        ignored = [name for name in _INSTEAD_OF_INVOKER if getattr(configuration, name) is not None]
        if ignored:
            raise ConfigurationError(
                f"{configuration.__name__} sets INVOKER, which has its own queue, stores and serializer, so remove "
                f"{', '.join(ignored)}"
            )
        return invoker
    if configuration.QUEUE is None:
        raise ConfigurationError(f"{configuration.__name__} sets neither INVOKER nor QUEUE")
    invoker = Invoker(
        configuration.QUEUE,
        configuration.RESULT_STORE,
        configuration.TASK_STORE,
        serializer=configuration.SERIALIZER,
    )
    for conflict in serializer_conflicts(invoker):
        raise ConfigurationError(f"{_name(configuration)}: {conflict}")
    named = [backend.url.options["results"] or "none" for backend in invoker.backends]
    if configuration.RESULT_STORE is None and any(name.lower() != "none" for name in named):
        raise ConfigurationError(
            "the URL has the option results=, but without RESULT_STORE no results are kept; set RESULT_STORE to the "
            "URL as well, or give INVOKER = Invoker.from_url(...), which opens the queue and all stores of a URL"
        )
    return invoker

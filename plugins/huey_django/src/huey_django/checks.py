"""System checks: what is wrong with the settings, and which commands the project's queue cannot honour.

=================  ==================================================================
huey_django.E001   no queue is configured, or none for a command
huey_django.E002   a setting is unknown, or its value cannot be used
huey_django.E003   a queue, a store, a serializer or a plugin cannot be made
huey_django.E004   a command asks for something that the queue does not do, or for a database that is not there
huey_django.E005   a module with commands declares one that cannot be
huey_django.E006   an alias of ``TASKS`` has an option that cannot be used, or queues that cannot be made
huey_django.W001   a queue does not declare that other processes can read it (``--deploy``)
huey_django.W002   commands run at once, in the caller (``--deploy``)
huey_django.W003   commands wait for the database ``default``, and the project has only others
huey_django.W004   the queue has a name that other projects on the server may have as well (``--deploy``)
huey_django.W005   no consumer with these settings serves the queue of a periodic command
=================  ==================================================================

They connect to no server; ``huey doctor`` does.
"""

from __future__ import annotations

import inspect
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import django
from django.conf import settings
from django.core import checks
from django.db import DEFAULT_DB_ALIAS

import huey_core
from huey_core.commands import default_registry
from huey_core.consumer import periodic_commands
from huey_core.exceptions import QueueException, Unsupported
from huey_django.conf import HueySettings, SettingsError, common_queue_name, is_on_commit, no_queue, sentence
from huey_django.consumers import invokers_to_serve
from huey_django.decorators import PROJECT
from huey_django.discovery import autodiscover
from huey_django.invokers import is_of_one_process, project_invoker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huey_core.commands import QueueCommand
    from huey_django.invoker import DjangoInvoker

__all__ = ["check_deployment", "check_settings", "register_all"]

TAG: Final = "huey"

DUMMY: Final = "django.db.backends.dummy"
"""What Django makes of a database without settings."""


def register_all() -> None:
    """Let ``manage.py check`` run these checks."""
    checks.register(check_settings, TAG)
    checks.register(check_deployment, TAG, deploy=True)
    if django.VERSION >= (6, 0):
        # Django registers its own check of TASKS when a module with tasks is imported. That may be in the middle of the
        # checks, when it is too late for this one.
        from django.tasks.checks import check_tasks

        checks.register(check_tasks, TAG)


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Report the first setting that cannot be used, or else every command that cannot be honoured.

    Raises:
        Exception: What a module with commands raised while it was imported, if it is no error of huey-core.
    """
    try:
        invoker = project_invoker()
    except SettingsError as error:
        return [_as_check_error(error)]
    if invoker is not None:
        # Loaded now, because they may have hooks for what the next line does.
        invoker.plugins  # noqa: B018
    try:
        autodiscover()
    except _declaration_errors() as error:
        message = sentence(f"A command cannot be declared: {error}")
        return [checks.Error(message, hint=_source_line(error), id="huey_django.E005")]
    found = _without_queue() if invoker is None else [*_unsupported(invoker), *_not_served(invoker)]
    return [*found, *_without_database(), *_without_default_database()]


def _as_check_error(error: SettingsError) -> checks.CheckMessage:
    return checks.Error(error.message, hint=error.hint, id=error.check_id)


def _declaration_errors() -> tuple[type[Exception], ...]:
    """What is raised at the import of a module by a command, or a task, that cannot be."""
    if django.VERSION < (6, 0):
        return (QueueException,)
    from django.tasks.exceptions import InvalidTask

    return (QueueException, InvalidTask)


def _source_line(error: Exception) -> str:
    """The line of the project that an error comes from: the last one before our own code and Django's."""
    # A dataclass has methods from no file.
    others = ("<", *(str(Path(file).parent) for file in (huey_core.__file__, django.__file__, __file__)))
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(others)]
    return f"See {lines[-1].filename}, line {lines[-1].lineno}."


def _invoker_of(command_class: type[QueueCommand]) -> object:
    """What a class has as its invoker, without asking a deferred one for the invoker that it stands for."""
    return inspect.getattr_static(command_class, "invoker")


def _without_queue() -> Iterator[checks.CheckMessage]:
    """One error for all commands that would need the project's queue, where it has none."""
    # A class of periodic commands belongs to no queue, and run_huey leaves those to the project's own.
    periodic = [each for each in periodic_commands(default_registry) if _invoker_of(each) is None]
    decorated = [each for each in map(default_registry.get, default_registry) if _invoker_of(each) is PROJECT]
    for command_class in [*decorated, *periodic][:1]:
        yield _as_check_error(no_queue(command_class.command_name))


def _unsupported(invoker: DjangoInvoker) -> Iterator[checks.CheckMessage]:
    for name in default_registry:
        command_class = default_registry.get(name)
        if _invoker_of(command_class) is not PROJECT:
            continue
        try:
            invoker.check_options(command_class.defaults)
        except Unsupported as error:
            message = sentence(f"The command {name} cannot be run: {error}")
            hint = "Remove the option, or choose another backend in HUEY."
            yield checks.Error(message, hint=hint, id="huey_django.E004")


def _not_served(invoker: DjangoInvoker) -> Iterator[checks.CheckMessage]:
    """A warning for each queue with periodic commands that ``run_huey`` does not serve without further options."""
    if invoker.always_eager:
        return
    try:
        served = {one.queue.name for one in invokers_to_serve(HueySettings.load().consumer.get("serve_queues", ()))}
    except SettingsError:
        # An alias of TASKS, which has a check of its own.
        return
    commands: dict[str, list[str]] = {}
    for command_class in periodic_commands(default_registry):
        queue = command_class.queue_name or invoker.default_queue
        if _invoker_of(command_class) in {None, PROJECT} and queue not in served:
            commands.setdefault(queue, []).append(command_class.command_name)
    for queue, names in commands.items():
        yield checks.Warning(
            f"No consumer with these settings serves the queue {queue!r}, so nobody runs the periodic commands "
            f"{', '.join(names)}.",
            hint=f"Name {queue!r} in HUEY_CONFIG['SERVE_QUEUES'], or start run_huey with --queue for it.",
            id="huey_django.W005",
        )


def _without_database() -> Iterator[checks.CheckMessage]:
    for name in default_registry:
        # A class of commands says it in its body, and belongs to no queue before it is enqueued.
        on_commit = getattr(default_registry.get(name), "on_commit", None)
        if on_commit is not None and not is_on_commit(on_commit):
            hint = f"The aliases are {', '.join(map(repr, settings.DATABASES)) or 'none'}."
            message = f"The command {name} waits for the database on_commit={on_commit!r}, which does not exist."
            yield checks.Error(message, hint=hint, id="huey_django.E004")


def _without_default_database() -> Iterator[checks.CheckMessage]:
    """A warning where every transaction is one that no command waits for."""
    loaded = HueySettings.load()
    used = [alias for alias, database in settings.DATABASES.items() if database.get("ENGINE", DUMMY) != DUMMY]
    if loaded.on_commit is True and not loaded.always_eager and used and DEFAULT_DB_ALIAS not in used:
        yield checks.Warning(
            f"Commands wait for the commit of the database {DEFAULT_DB_ALIAS!r}, which is empty, so they are written "
            "at once in the transactions of all others.",
            hint=f"Set HUEY_CONFIG['ON_COMMIT'] to one of {', '.join(map(repr, used))}, or to False.",
            id="huey_django.W003",
        )


def check_deployment(**_: Any) -> list[checks.CheckMessage]:
    """Report what is good for development and tests only, or where nobody else uses the server."""
    try:
        invokers = invokers_to_serve()
    except SettingsError:
        return []
    if any(invoker.always_eager for invoker in invokers):
        return [
            checks.Warning(
                "HUEY_CONFIG['ALWAYS_EAGER'] is on: commands run at once, in the request that calls them.",
                hint="Remove it from the settings of a deployment.",
                id="huey_django.W002",
            )
        ]
    if any(is_of_one_process(invoker.queue) for invoker in invokers):
        return [
            checks.Warning(
                "A queue does not declare 'persistent', as one in the memory of one process does not: other "
                "processes may not see its commands.",
                hint="Set HUEY, or the URL in TASKS, to the URL of a server, or of a file: sqlite:////var/lib/site/queue.sqlite3.",
                id="huey_django.W001",
            )
        ]
    return [*_with_common_name()]


def _with_common_name() -> Iterator[checks.CheckMessage]:
    name = common_queue_name()
    if name is not None:
        yield checks.Warning(
            f"The queue is called {name!r}, as the package of the settings, and another project on the server may have "
            "one of that name: each would take the commands of the other.",
            hint="Give it a name: HUEY_CONFIG['QUEUE_NAME'], or ?queue= in the URL.",
            id="huey_django.W004",
        )

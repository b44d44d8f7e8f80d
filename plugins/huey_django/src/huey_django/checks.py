"""System checks: what is wrong with the settings, and which commands the project's queue cannot honour.

=================  ==================================================================
huey_django.E001   no queue is configured
huey_django.E002   a setting is unknown, or its value cannot be used
huey_django.E003   a queue, a store or a serializer cannot be made
huey_django.E004   a command asks for something that the queue does not do
huey_django.W001   the queue is in the memory of one process (``--deploy``)
huey_django.W002   commands run at once, in the caller (``--deploy``)
=================  ==================================================================

They connect to no server; ``huey doctor`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core import checks

from huey_core.backends.capabilities import Capability
from huey_core.backends.leased import LeasedQueue
from huey_core.commands.registry import default_registry
from huey_core.exceptions import Unsupported
from huey_django.conf import SettingsError
from huey_django.decorators import PROJECT
from huey_django.invokers import get_invoker

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["check_deployment", "check_settings", "register_all"]

TAG = "huey"


def register_all() -> None:
    """Let ``manage.py check`` run these checks."""
    checks.register(check_settings, TAG)
    checks.register(check_deployment, TAG, deploy=True)


def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Report the first setting that cannot be used, or else every command that the queue cannot honour."""
    try:
        get_invoker()
    except SettingsError as error:
        return [checks.Error(error.message, hint=error.hint, id=error.check_id)]
    return list(_unsupported())


def _unsupported() -> Iterator[checks.CheckMessage]:
    invoker = get_invoker()
    for name in default_registry:
        command_class = default_registry.get(name)
        if vars(command_class).get("invoker") is not PROJECT:
            continue
        try:
            invoker.check_options(command_class.defaults)
        except Unsupported as error:
            yield checks.Error(f"The command {name} cannot be run: {error}.", id="huey_django.E004")


def check_deployment(**_: Any) -> list[checks.CheckMessage]:
    """Report what is good for development and tests only."""
    try:
        invoker = get_invoker()
    except SettingsError:
        return []
    if invoker.always_eager:
        return [
            checks.Warning(
                "HUEY_CONFIG['ALWAYS_EAGER'] is on: commands run at once, in the request that calls them.",
                hint="Remove it from the settings of a deployment.",
                id="huey_django.W002",
            )
        ]
    queue = invoker.queue
    if isinstance(queue, LeasedQueue) and Capability.PERSISTENT not in queue.capabilities:
        return [
            checks.Warning(
                "The queue is in the memory of one process: no other process can run its commands.",
                hint="Set HUEY to the URL of a server, or of a file: sqlite:////var/lib/site/queue.sqlite3.",
                id="huey_django.W001",
            )
        ]
    return []

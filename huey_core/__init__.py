"""A task queue for Python whose every backend is a plugin.

::

    from huey_core import Invoker, queue_command

    invoker = Invoker.from_url("redis://localhost:6379/0?queue=mail")


    @queue_command(invoker, retries=3)
    def send_mail(to, text): ...

What is listed in ``__all__`` here, and in a package or module right below, is public; what is deeper may change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey_core._lazy import lazy
from huey_core._version import __version__
from huey_core.commands.base import PeriodicQueueCommand, QueueCommand
from huey_core.commands.context import current_command
from huey_core.commands.crontab import crontab
from huey_core.commands.progress import Progress
from huey_core.commands.registry import CommandRegistry
from huey_core.commands.schedules import every
from huey_core.decorators import periodic_command, queue_command
from huey_core.exceptions import CommandCancelled, CommandRetry
from huey_core.hookspecs import hookimpl
from huey_core.install_as import install_as_huey
from huey_core.invoker.call_state import CallInfo, CallStatus
from huey_core.queue import AsyncData, Invoker

if TYPE_CHECKING:
    from huey_core.consumer.config import BaseConfiguration
else:
    # Only a consumer needs it, and with it all of its modules.
    __getattr__ = lazy(__name__, BaseConfiguration="huey_core.consumer.config")

__all__ = [
    "AsyncData",
    "BaseConfiguration",
    "CallInfo",
    "CallStatus",
    "CommandCancelled",
    "CommandRegistry",
    "CommandRetry",
    "Invoker",
    "PeriodicQueueCommand",
    "Progress",
    "QueueCommand",
    "__version__",
    "crontab",
    "current_command",
    "every",
    "hookimpl",
    "install_as_huey",
    "periodic_command",
    "queue_command",
]

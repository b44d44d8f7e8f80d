"""The names of the original API's module ``huey.queue``."""

from __future__ import annotations

from huey_core.commands.base import PeriodicQueueCommand, QueueCommand
from huey_core.invoker.command_schedule import CommandSchedule
from huey_core.invoker.invoker import Invoker
from huey_core.invoker.results import AsyncData

__all__ = ["AsyncData", "CommandSchedule", "Invoker", "PeriodicQueueCommand", "QueueCommand"]

# Where users import it from, and how the original API's documentation shows it.
AsyncData.__module__ = __name__

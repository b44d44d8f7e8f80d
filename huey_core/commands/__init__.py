"""Commands: one call of a decorated function, its options, and the registry that finds its class again.

What is listed here is public; the modules of this package are not.
"""

from __future__ import annotations

from huey_core.commands.base import PeriodicQueueCommand, QueueCommand
from huey_core.commands.codec import CommandCodec
from huey_core.commands.context import RunContext, current_command
from huey_core.commands.core_options import CORE_OPTIONS
from huey_core.commands.execution import Execution
from huey_core.commands.function_command import FunctionCommand
from huey_core.commands.join import Join
from huey_core.commands.option import CommandOption
from huey_core.commands.option_checks import flag, number, optional, seconds, whole_number
from huey_core.commands.options import CommandOptions, GivenOptions, OptionTable
from huey_core.commands.progress import Progress

# Importing it also lets a command that is written as a class be registered, wherever that is defined.
from huey_core.commands.registry import CommandRegistry, default_registry
from huey_core.commands.schedules import Schedule
from huey_core.commands.signature import parameters_of

__all__ = [
    "CORE_OPTIONS",
    "CommandCodec",
    "CommandOption",
    "CommandOptions",
    "CommandRegistry",
    "Execution",
    "FunctionCommand",
    "GivenOptions",
    "Join",
    "OptionTable",
    "PeriodicQueueCommand",
    "Progress",
    "QueueCommand",
    "RunContext",
    "Schedule",
    "current_command",
    "default_registry",
    "flag",
    "number",
    "optional",
    "parameters_of",
    "seconds",
    "whole_number",
]

"""Commands: one call of a decorated function, its options, and the registry that finds its class again.

What is listed here is public; the modules of this package are not.
"""

from __future__ import annotations

from huey_core.commands.base import FunctionCommand, PeriodicQueueCommand, QueueCommand
from huey_core.commands.codec import CommandCodec
from huey_core.commands.context import RunContext, current_command
from huey_core.commands.execution import Execution
from huey_core.commands.options import CommandOptions, GivenOptions

# Importing it also lets a command that is written as a class be registered, wherever that is defined.
from huey_core.commands.registry import CommandRegistry, default_registry
from huey_core.commands.signature import parameters_of

__all__ = [
    "CommandCodec",
    "CommandOptions",
    "CommandRegistry",
    "Execution",
    "FunctionCommand",
    "GivenOptions",
    "PeriodicQueueCommand",
    "QueueCommand",
    "RunContext",
    "current_command",
    "default_registry",
    "parameters_of",
]

"""Commands: one call of a decorated function, its options, and the registry that finds its class again."""

from __future__ import annotations

# Importing it also lets a command that is written as a class be registered, wherever that is defined.
from huey_core.commands.registry import CommandRegistry, default_registry

__all__ = ["CommandRegistry", "default_registry"]

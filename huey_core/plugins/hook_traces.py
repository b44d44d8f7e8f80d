"""What ``HUEY_TRACE_PLUGINS`` logs: the plugins in which each hook is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from huey_core.plugins.selection import TRACE
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pluggy import HookImpl

__all__ = ["trace", "trace_after", "trace_before"]

logger = get_logger(__name__)


def trace(hook_name: str, implementations: Iterable[HookImpl]) -> None:
    """Log a call of a hook, of implementations in the order in which they are called."""
    called = ", ".join(implementation.plugin_name for implementation in implementations)
    logger.info("%s: %s is called in: %s", TRACE, hook_name, called or "no plugin")


def trace_before(hook_name: str, implementations: Sequence[HookImpl], arguments: Mapping[str, Any]) -> None:
    """Do the same for pluggy, which calls the last one first."""
    trace(hook_name, reversed(implementations))


def trace_after(
    outcome: Any, hook_name: str, implementations: Sequence[HookImpl], arguments: Mapping[str, Any]
) -> None:
    """Say nothing: pluggy wants a function for the end of a call too."""

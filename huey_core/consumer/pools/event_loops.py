"""The kinds of event loops, by name."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["loop_factory"]


def loop_factory(name: str) -> Callable[[], Any] | None:
    """Find what makes an event loop; ``None`` stands for that of the standard library.

    Raises:
        ConfigurationError: It is not installed.
    """
    if name == "asyncio":
        return None
    try:
        factory: Callable[[], Any] = importlib.import_module(name).new_event_loop
    except ImportError as error:
        raise ConfigurationError(
            f"EVENT_LOOP is {name!r}, which is not installed: pip install 'huey-core[{name}]'"
        ) from error
    return factory

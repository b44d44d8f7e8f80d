"""Two ways to call the control hooks around a run: at once, and in an event loop.

What is written with ``await hooks.call(...)`` serves both. Where hooks are called at once it waits for nothing, and
:func:`at_once` runs it to its end on the spot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from huey_core.plugins.manager import PluginManager

__all__ = ["HookCalls", "HooksAtOnce", "at_once"]

P = ParamSpec("P")
R = TypeVar("R")


class HookCalls(Protocol):
    """A way to call control hooks: :class:`HooksAtOnce`, or :class:`~huey_core.plugins.hooks_in_loop.HooksInLoop`."""

    async def call(self, hook: Callable[P, R], *args: P.args, **arguments: P.kwargs) -> R:
        """Call a hook of which the first result is the only one."""

    async def call_all(self, hook: Callable[P, R], *args: P.args, **arguments: P.kwargs) -> list[R]:
        """Call a hook of which all results count."""


class HooksAtOnce:
    """Calls hooks in the calling thread, and waits for nothing else."""

    def __init__(self, plugins: PluginManager) -> None:
        self._plugins = plugins

    async def call(self, hook: Callable[P, R], *args: P.args, **arguments: P.kwargs) -> R:
        """Call a hook of which the first result is the only one."""
        return self._plugins.call(hook, *args, **arguments)

    async def call_all(self, hook: Callable[P, R], *args: P.args, **arguments: P.kwargs) -> list[R]:
        """Call a hook of which all results count."""
        return self._plugins.call_all(hook, *args, **arguments)


def at_once(coroutine: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine to its end that calls hooks by :class:`HooksAtOnce` and awaits nothing else.

    Raises:
        BaseException: What the coroutine raises.
        RuntimeError: It waits for something.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError("a coroutine that is to end at once waits for something")

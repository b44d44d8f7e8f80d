"""How a hook is declared: as one that steers or one that observes, with what a slow implementation of it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AWAITED",
    "FIRST_RESULT",
    "OBSERVERS",
    "PROJECT",
    "SLOW",
    "TWIN",
    "UNWRAPPED",
    "control",
    "hookimpl",
    "observer",
]

PROJECT: Final = "huey_core"
"""The project name under which pluggy finds hook implementations."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function as the implementation of the hook of the same name."""

SLOW: Final[dict[str, str]] = {}
"""What it means that an implementation takes long, for each hook by its name, in the order of their declarations."""

FIRST_RESULT: Final[set[str]] = set()
"""The names of the control hooks of which the first result that is not ``None`` is the only one."""

OBSERVERS: Final[set[str]] = set()
"""The names of the hooks whose implementations are called one by one, each isolated."""

UNWRAPPED: Final[set[str]] = set()
"""The names of the hooks that cannot be wrapped: the observers, and what each plugin is asked for itself."""

AWAITED: Final[set[str]] = set()
"""The names of the hooks whose implementations may be coroutine functions."""

TWIN: Final = "_async"
"""What the name of an implementation's twin for event loops ends in, behind the name of the hook."""

ControlT = TypeVar("ControlT", bound="Callable[..., Any]")
ObserverT = TypeVar("ObserverT", bound="Callable[..., None]")


def control(
    *, slow: str, firstresult: bool = False, wrapped: bool = True, awaited: bool = False
) -> Callable[[ControlT], ControlT]:
    """Declare a hook that steers: what an implementation returns or raises matters.

    Args:
        slow: What it means that an implementation takes long: a clause that begins with who waits, for the log.
        firstresult: Whether the first result that is not ``None`` is the only one, and the rest are not called.
        wrapped: Whether it may be wrapped.
        awaited: Whether an implementation may be a coroutine function, or have one as its twin.
    """

    def declare(hook: ControlT) -> ControlT:
        SLOW[hook.__name__] = slow
        if not wrapped:
            UNWRAPPED.add(hook.__name__)
        if firstresult:
            FIRST_RESULT.add(hook.__name__)
        if awaited:
            AWAITED.add(hook.__name__)
        return hookspec(hook, firstresult=firstresult)

    return declare


def observer(*, slow: str, awaited: bool = False) -> Callable[[ObserverT], ObserverT]:
    """Declare a hook that only observes: what an implementation returns or raises is nobody's concern.

    Args:
        slow: As for :func:`control`.
        awaited: As for :func:`control`.
    """

    def declare(hook: ObserverT) -> ObserverT:
        SLOW[hook.__name__] = slow
        OBSERVERS.add(hook.__name__)
        if awaited:
            AWAITED.add(hook.__name__)
        UNWRAPPED.add(hook.__name__)
        return hookspec(hook)

    return declare

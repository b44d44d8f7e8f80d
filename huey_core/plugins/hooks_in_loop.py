"""How hooks are called in an event loop: coroutine functions are awaited, and wrappers are driven by hand."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar, cast

import pluggy

from huey_core.exceptions import PluginRefused
from huey_core.hookspecs import AWAITED, FIRST_RESULT, TWIN

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from pluggy import HookImpl

    from huey_core.plugins.hook_faults import HookFaultLog

__all__ = ["HooksInLoop", "check_coroutines", "is_awaited"]

P = ParamSpec("P")
R = TypeVar("R")


class _Implementation(NamedTuple):
    function: Callable[..., Any]
    argnames: Sequence[str] | None
    """The arguments that it takes, by their order; ``None`` where it takes all, by their names."""
    waits: bool
    plugin_name: str


class _Found(NamedTuple):
    """The implementations of a hook in the order in which they are called, the wrappers by themselves."""

    wrappers: Sequence[HookImpl]
    others: Sequence[_Implementation]


class HooksInLoop:
    """Calls the hooks of one :class:`~huey_core.plugins.manager.PluginManager`, in whose order they are.

    Args:
        faults: Where it is noted what implementations of observers raise.
        trace: Called before each call with the hook's name and its implementations.
    """

    def __init__(self, faults: HookFaultLog, trace: Callable[[str, Sequence[Any]], None] | None = None) -> None:
        self._faults = faults
        self._trace = trace
        self._found: dict[Callable[..., Any], _Found] = {}

    def use(self, implementations: Mapping[Callable[..., Any], Sequence[HookImpl]]) -> None:
        """Call these from now on: for each hook, in order."""
        self._found = {
            hook: _Found(
                [one for one in found if one.wrapper or one.hookwrapper],
                [_in_loop(hook, one) for one in found if not one.wrapper and not one.hookwrapper],
            )
            for hook, found in implementations.items()
            if hook.__name__ in AWAITED
        }

    async def call(self, hook: Callable[P, R], *args: P.args, **arguments: P.kwargs) -> R:
        """Call a control hook of which the first result is the only one; raise what an implementation raises."""
        found = self._found[hook] if self._trace is None else self._traced(hook)
        if found.wrappers:
            return cast("R", await _wrapped(hook.__name__, found, arguments))
        # As _first() does it, and below _all(): they are called for every command, and a coroutine more has its price.
        for function, argnames, waits, _ in found.others:
            result = function(**arguments) if argnames is None else function(*[arguments[name] for name in argnames])
            if waits:
                result = await result
            if result is not None:
                return cast("R", result)
        return cast("R", None)

    async def call_all(self, hook: Callable[P, R], *args: P.args, **arguments: P.kwargs) -> list[R]:
        """Call a control hook of which all results count; raise what an implementation raises."""
        found = self._found[hook] if self._trace is None else self._traced(hook)
        if found.wrappers:
            return cast("list[R]", await _wrapped(hook.__name__, found, arguments))
        results = []
        for function, argnames, waits, _ in found.others:
            result = function(**arguments) if argnames is None else function(*[arguments[name] for name in argnames])
            if waits:
                result = await result
            if result is not None:
                results.append(result)
        return results

    async def notify(self, hook: Callable[P, None], *args: P.args, **arguments: P.kwargs) -> None:
        """Call every implementation of an observer, whatever another one raises."""
        found = self._found[hook] if self._trace is None else self._traced(hook)
        for one in found.others:
            try:
                await _all([one], arguments)
            except BaseException as error:  # noqa: BLE001 - it is logged, and counted
                self._faults.raised(one.plugin_name, hook.__name__, error)

    def _traced(self, hook: Callable[..., Any]) -> _Found:
        found = self._found[hook]
        if self._trace is not None:
            self._trace(hook.__name__, [*found.wrappers, *found.others])
        return found


def is_awaited(implementation: HookImpl) -> bool:
    """Whether an implementation has to be awaited wherever it is called."""
    return inspect.iscoroutinefunction(implementation.function)


def check_coroutines(name: str, plugin: object, attribute: str, hook: str, *, is_wrapper: bool) -> None:
    """Refuse an implementation that would never be awaited, and one whose twin for event loops is not what it must be.

    Args:
        name: The name of the plugin.
        plugin: The plugin.
        attribute: The attribute of it that is the implementation.
        hook: The name of the hook.
        is_wrapper: Whether it is a wrapper.

    Raises:
        PluginRefused: The message says what is wrong.
    """
    function, twin = getattr(plugin, attribute), getattr(plugin, hook + TWIN, None)
    problem = None
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        if is_wrapper:
            problem = f"wraps {hook!r} by an async def; a wrapper is a generator, also where what it wraps is awaited"
        elif hook not in AWAITED:
            problem = f"implements {hook!r} by an async def, which nobody would await"
    if twin is not None and not is_wrapper:
        if hook not in AWAITED:
            problem = f"has {hook + TWIN!r}, but nobody would await that"
        elif not inspect.iscoroutinefunction(twin):
            problem = f"has {hook + TWIN!r}, which is the twin of {hook!r} for event loops and must be an async def"
        elif list(inspect.signature(twin).parameters) != list(inspect.signature(function).parameters):
            problem = f"has {hook + TWIN!r}, which must have the same parameters as its {hook!r}"
    if problem is not None:
        raise PluginRefused(f"plugin {name!r} {problem}", plugin=name)


def _in_loop(hook: Callable[..., Any], implementation: HookImpl) -> _Implementation:
    function = getattr(implementation.plugin, hook.__name__ + TWIN, None) or implementation.function
    argnames = None if _parameters(function) == _parameters(hook) else implementation.argnames
    return _Implementation(function, argnames, inspect.iscoroutinefunction(function), implementation.plugin_name)


def _parameters(function: Callable[..., Any]) -> dict[str, object]:
    return {name: parameter.kind for name, parameter in inspect.signature(function).parameters.items()}


async def _first(found: Sequence[_Implementation], arguments: Mapping[str, Any]) -> Any:
    for function, argnames, waits, _ in found:
        result = function(**arguments) if argnames is None else function(*[arguments[name] for name in argnames])
        if waits:
            result = await result
        if result is not None:
            return result
    return None


async def _all(found: Sequence[_Implementation], arguments: Mapping[str, Any]) -> list[Any]:
    results = []
    for function, argnames, waits, _ in found:
        result = function(**arguments) if argnames is None else function(*[arguments[name] for name in argnames])
        if waits:
            result = await result
        if result is not None:
            results.append(result)
    return results


async def _wrapped(name: str, found: _Found, arguments: Mapping[str, Any]) -> Any:
    """Do what pluggy does when it calls a hook with wrappers."""
    begun: list[tuple[HookImpl, Generator[None, Any, Any]]] = []
    outcome, error = None, None
    try:
        for wrapper in found.wrappers:
            generator = cast("Any", wrapper.function)(*[arguments[argument] for argument in wrapper.argnames])
            if wrapper.hookwrapper:
                generator = _new_style(generator)
            try:
                next(generator)
            except StopIteration:
                raise _wrongly_wrapped(wrapper, name, "did not yield") from None
            begun.append((wrapper, generator))
        outcome = await (_first if name in FIRST_RESULT else _all)(found.others, arguments)
    except BaseException as raised:  # noqa: BLE001 - it is raised in the wrappers, and behind them
        error = raised
    for wrapper, generator in reversed(begun):
        try:
            if error is None:
                generator.send(outcome)
            else:
                generator.throw(error)
        except StopIteration as end:
            outcome, error = end.value, None
        except BaseException as raised:  # noqa: BLE001 - it is raised in the wrappers, and behind them
            error = raised
        else:
            generator.close()
            error = _wrongly_wrapped(wrapper, name, "has a second yield")
    if error is not None:
        raise error
    return outcome


def _new_style(generator: Generator[None, Any, None]) -> Generator[None, Any, Any]:
    """Let a wrapper of pluggy's older kind, which is sent a result object, be one of the newer kind."""
    next(generator)
    try:
        value = yield
    except BaseException as error:  # noqa: BLE001 - it is the result's
        result: pluggy.Result[Any] = pluggy.Result(None, error)
    else:
        result = pluggy.Result(value, None)
    try:
        generator.send(result)
    except StopIteration:
        return result.get_result()
    raise RuntimeError("has a second yield")


def _wrongly_wrapped(wrapper: HookImpl, name: str, what: str) -> RuntimeError:
    return RuntimeError(f"the wrapper of {name} in plugin {wrapper.plugin_name} {what}")

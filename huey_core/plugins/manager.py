"""Hooks: who implements them, in which order they are called, and what happens when one fails.

Control hooks are pluggy's own business, unless all implementations are functions that can be called as they are.
Observers are called through :meth:`PluginManager.notify`, one by one, because in pluggy an exception in one
implementation keeps the others from being called, and because each is timed by itself.

A hook is called by its specification, so that a type checker compares the call with it:
``manager.notify(hookspecs.huey_worker_start, consumer=..., worker=...)``. Its arguments are passed by name.
"""

from __future__ import annotations

import inspect
import time
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

import pluggy

from huey_core import hookspecs
from huey_core.backends.forking import ProcessLock
from huey_core.commands.coroutines import run_to_end
from huey_core.exceptions import (
    ConfigurationError,
    PluginBlocked,
    PluginConflict,
    PluginException,
    PluginIncompatible,
    PluginLoadError,
    PluginNotFound,
    PluginRefused,
    UnknownHook,
)
from huey_core.hookspecs import FIRST_RESULT, OBSERVERS, PROJECT, UNWRAPPED
from huey_core.plugins.command_options import OfferedOptions
from huey_core.plugins.discovery import PLUGINS, Entry, entries
from huey_core.plugins.hook_faults import SLOW_HOOK, HookFaultLog
from huey_core.plugins.hook_traces import trace, trace_after, trace_before
from huey_core.plugins.hooks_in_loop import HooksInLoop, check_coroutines, is_awaited
from huey_core.plugins.loading import check_api, load, remember
from huey_core.plugins.selection import (
    DISABLE,
    disabled_names,
    is_named,
    is_tracing,
    normalise,
    not_installed,
    select,
)
from huey_core.safe_logging import get_logger
from huey_core.text import did_you_mean, error_line, is_users_interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pluggy import HookImpl

    from huey_core.snapshot import HookFaults

__all__ = ["PluginManager"]

logger = get_logger(__name__)

_BLOCK: Final = "no:"
_HOOKS: Final[dict[str, Callable[..., Any]]] = {name: getattr(hookspecs, name) for name in hookspecs.names()}

P = ParamSpec("P")
R = TypeVar("R")


class PluginManager:
    """The plugins of one application, and the way to call their hooks.

    Plugins that are installed come first and those that are given after them, each in its order; of two
    implementations of one hook, the one registered later is called earlier, unless they ask for another order with
    ``tryfirst`` and ``trylast``.

    Args:
        plugins: Modules or objects with hook implementations to add, and texts ``"no:NAME"``, which block an installed
            plugin by its name or its distribution.
        installed: Whether to load the entry points of the group ``huey_core.plugins``, those excepted that
            ``HUEY_DISABLE_PLUGINS`` blocks.
        strict: Whether an installed plugin that cannot be loaded is an error. Otherwise it is logged as a warning, and
            the others are used.
        slow_hook: Seconds above which a call of an observer counts as slow.
        clock: Returns seconds, for the time that an observer takes, and for the limit on how often one is logged.

    Raises:
        UnknownHook: A plugin implements a hook that does not exist.
        PluginRefused: A plugin wraps an observer, asks for an argument that its hook does not have, or does not say
            which options it offers.
        PluginException: With ``strict``, one cannot be loaded.
        ConfigurationError: ``plugins`` holds a text of another kind.
    """

    def __init__(
        self,
        plugins: Iterable[object] = (),
        *,
        installed: bool = True,
        strict: bool = False,
        slow_hook: float = SLOW_HOOK,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pluggy = pluggy.PluginManager(PROJECT)
        self._pluggy.add_hookspecs(hookspecs)
        self._slow_hook = slow_hook
        self._clock = clock
        self._faults = HookFaultLog(clock)
        self._lock = ProcessLock()
        self._plugins: dict[str, object] = {}
        self.options = OfferedOptions()
        self._implemented: dict[Callable[..., Any], bool] = dict.fromkeys(_HOOKS.values(), False)
        self._first_result: dict[Callable[..., Any], Callable[..., Any]] = {
            _HOOKS[name]: getattr(self._pluggy.hook, name) for name in FIRST_RESULT
        }
        # The functions to be called one after the other; None where pluggy must do that.
        self._all_results: dict[Callable[..., Any], tuple[Callable[..., Any], ...] | None] = {
            hook: () for name, hook in _HOOKS.items() if name not in FIRST_RESULT | OBSERVERS
        }
        self._awaited: set[Callable[..., Any]] = set()
        self._observers: dict[Callable[..., Any], tuple[HookImpl, ...]] = {_HOOKS[name]: () for name in OBSERVERS}
        self._tracing = is_tracing()
        self.in_loop = HooksInLoop(self._faults, trace if self._tracing else None)
        self.in_loop.use(dict.fromkeys(_HOOKS.values(), ()))
        if self._tracing:
            self._pluggy.add_hookcall_monitoring(trace_before, trace_after)

        given = list(plugins)
        if installed:
            self._load_installed(_blocked(given), strict)
        for plugin in given:
            if not isinstance(plugin, str):
                self.register(plugin)
            elif not plugin.startswith(_BLOCK):
                raise ConfigurationError(
                    f"a plugin is given as a module or an object, or blocked with 'no:NAME'; {plugin!r} is neither"
                )

    def register(self, plugin: object, name: str | None = None) -> None:
        """Add a module or an object with hook implementations. Does nothing if it is there already. Thread-safe.

        Args:
            plugin: The module or object.
            name: What it is called in logs and errors; by default the name of the module or of the object's class.

        Raises:
            PluginConflict: Another plugin has this name.
            UnknownHook: It implements a hook that does not exist.
            PluginIncompatible: It was written for another version of the plugin API.
            PluginRefused: It is not a module or an object, wraps an observer, asks for an argument that its hook does
                not have, or does not say which options it offers.
        """
        with self._lock:
            if any(plugin is known for known in self._plugins.values()):
                return
            name = name or self._new_name(plugin)
            check_api(plugin, name)
            self._add(name, plugin)

    def load(self, entry: Entry) -> None:
        """Import one installed plugin and add it.

        Raises:
            PluginLoadError: It cannot be imported.
            PluginException: As for :meth:`register`.
        """
        plugin = load(entry)
        try:
            with self._lock:
                self._add(entry.name, plugin)
        except PluginException as error:
            error.distribution = entry.distribution
            remember(entry, error)
            raise

    def names(self) -> list[str]:
        """The names of the plugins, in the order in which they were registered."""
        return list(self._plugins)

    def hooks(self) -> list[str]:
        """The names of the hooks that any plugin implements, in the order of their specifications."""
        return [name for name, hook in _HOOKS.items() if self._implemented[hook]]

    def has(self, hook: Callable[..., Any]) -> bool:
        """Say whether any plugin implements a hook, so that preparing its arguments can be saved.

        Raises:
            UnknownHook: There is no such hook.
        """
        try:
            return self._implemented[hook]
        except KeyError:
            raise _unknown(hook) from None

    def call(self, hook: Callable[P, R], *args: P.args, **arguments: P.kwargs) -> R:
        """Call a control hook of which the first result that is not ``None`` is the only one, and return that.

        Raises:
            Exception: What an implementation raises.
            UnknownHook: There is no such hook, or it is of another kind.
        """
        try:
            function = self._first_result[hook]
        except KeyError:
            raise _unknown(hook) from None
        return function(**arguments)  # type: ignore[no-any-return]

    def call_all(self, hook: Callable[P, R], *args: P.args, **arguments: P.kwargs) -> list[R]:
        """Call a control hook of which all results count, and return those that are not ``None``; see :meth:`call`."""
        try:
            functions = self._all_results[hook]
        except KeyError:
            raise _unknown(hook) from None
        if functions is None:
            return self._caller(hook)(**arguments)  # type: ignore[no-any-return]
        return [result for function in functions if (result := function(**arguments)) is not None]

    def notify(self, hook: Callable[P, None], *args: P.args, **arguments: P.kwargs) -> None:
        """Call every implementation of an observer by itself, in pluggy's order.

        An exception of whatever kind, ``SystemExit`` included, and a call that takes longer than ``slow_hook`` are
        logged with the plugin's name, each at most once a minute for one plugin and hook, and are counted for
        :meth:`hook_faults`; the other implementations are called all the same. ``KeyboardInterrupt`` passes through in
        the main thread, where it is the user's; no other thread is ended by it.

        Args:
            hook: One of :data:`~huey_core.hookspecs.OBSERVERS`.
            args: None: they are passed by name.
            arguments: Every argument of the hook.

        Raises:
            UnknownHook: There is no such hook, or it is no observer.
            KeyError: An argument is missing.
        """
        try:
            implementations = self._observers[hook]
        except KeyError:
            raise _unknown(hook) from None
        if self._tracing:
            trace(hook.__name__, implementations)
        clock = self._clock
        for implementation in implementations:
            values = [arguments[name] for name in implementation.argnames]
            began = clock()
            try:
                try:
                    implementation.function(*values)
                finally:
                    # Before a failure is logged, which may take a while and is not the plugin's doing.
                    seconds = clock() - began
            except BaseException as error:
                if is_users_interrupt(error):
                    raise
                self._faults.raised(implementation.plugin_name, hook.__name__, error)
            if seconds > self._slow_hook:
                self._faults.delayed(implementation.plugin_name, hook.__name__, seconds)

    def hook_faults(self) -> list[HookFaults]:
        """What plugins have done amiss as observers so far: which raised and which were slow, by plugin and hook."""
        return self._faults.all()

    def _load_installed(self, blocked: dict[str, str], strict: bool) -> None:
        for name in not_installed(blocked | disabled_names()):
            logger.warning("%r is blocked (by %s or 'no:NAME'), but no such plugin is installed", name, DISABLE)
        claims: dict[str, list[Entry]] = {}
        for entry in entries(PLUGINS):
            if not entry.is_well_named:
                logger.warning("plugin %r of %s is not used: its name is not lower case", entry.name, entry.source)
            elif not is_named(entry, blocked):
                claims.setdefault(entry.name, []).append(entry)
        for claimed in claims.values():
            try:
                self.load(select(claimed))
            except PluginBlocked:
                continue
            except (PluginConflict, PluginNotFound, PluginLoadError, PluginIncompatible) as error:
                if strict:
                    raise
                logger.warning("a plugin is not used: %s", error)

    def _add(self, name: str, plugin: object) -> None:
        self._verify(name, plugin)
        if name in self._plugins:
            raise PluginConflict(f"two plugins are called {name!r}; give one of them another name", plugin=name)
        try:
            self._pluggy.register(plugin, name)
        except (pluggy.PluginValidationError, ValueError) as error:
            # pluggy 1.6 keeps the hooks that it had accepted before it found the bad one.
            self._pluggy.unregister(name=name)
            raise PluginRefused(f"plugin {name!r} is refused: {' '.join(str(error).split())}", plugin=name) from error
        try:
            self._add_options(name)
        except BaseException:
            self._pluggy.unregister(name=name)
            raise
        self._plugins[name] = plugin

        implementations = {
            hook: tuple(reversed(getattr(self._pluggy.hook, name).get_hookimpls())) for name, hook in _HOOKS.items()
        }
        self.in_loop.use(implementations)
        self._awaited = {hook for hook, found in implementations.items() if any(map(is_awaited, found))}
        self._implemented = {hook: bool(found) for hook, found in implementations.items()}
        self._observers = {hook: implementations[hook] for hook in self._observers}
        for hook in self._first_result:
            match self._direct(hook, implementations[hook]):
                case (function,):
                    self._first_result[hook] = function
                case _:
                    self._first_result[hook] = self._caller(hook)
        for hook in self._all_results:
            self._all_results[hook] = self._direct(hook, implementations[hook])

    def _caller(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        """What calls all implementations of a control hook, some of which cannot be called straight away."""
        if hook not in self._awaited:
            return getattr(self._pluggy.hook, hook.__name__)  # type: ignore[no-any-return]
        call = self.in_loop.call if hook.__name__ in FIRST_RESULT else self.in_loop.call_all
        return lambda **arguments: run_to_end(call(hook, **arguments))

    def _direct(self, hook: Callable[..., Any], found: Sequence[HookImpl]) -> tuple[Callable[..., Any], ...] | None:
        """The implementations of a control hook as functions, if they can be called straight away, in their order.

        That is far faster than through pluggy, and some are called for every command. Each of them must be no wrapper
        and take all arguments by their names, as core's own do.
        """
        parameters = _parameters(hook)
        if self._tracing or any(
            one.wrapper or one.hookwrapper or is_awaited(one) or _parameters(one.function) != parameters
            for one in found
        ):
            return None
        return tuple(one.function for one in found)

    def _add_options(self, name: str) -> None:
        for implementation in self._pluggy.hook.huey_command_options.get_hookimpls():
            if implementation.plugin_name == name:
                try:
                    answer = implementation.function()
                except (Exception, SystemExit) as error:
                    raise PluginRefused(
                        f"plugin {name!r} is refused: huey_command_options() raised {error_line(error)}", plugin=name
                    ) from error
                self.options.add(name, answer)

    def _verify(self, name: str, plugin: object) -> None:
        """Check every hook before pluggy sees the plugin, so that one that is refused leaves nothing behind."""
        if isinstance(plugin, type):
            raise PluginRefused(f"plugin {name!r} is a class; give an instance of it", plugin=name)
        for attribute in dir(plugin):
            options = self._pluggy.parse_hookimpl_opts(plugin, attribute)
            if options is None:
                if attribute in _HOOKS:
                    logger.warning("%s of plugin %s is never called: it is not marked @hookimpl", attribute, name)
                continue
            hook = options.get("specname") or attribute
            if hook not in _HOOKS and not options["optionalhook"]:
                hint = did_you_mean(hook, _HOOKS, "see huey_core.hookspecs for all")
                raise UnknownHook(f"plugin {name!r} implements {hook!r}, which is no hook{hint}", plugin=name)
            if hook in UNWRAPPED and (options["wrapper"] or options["hookwrapper"]):
                why = "only observes" if hook in OBSERVERS else "each plugin answers for itself"
                raise PluginRefused(f"plugin {name!r} wraps {hook!r}, which {why} and cannot be wrapped", plugin=name)
            check_coroutines(name, plugin, attribute, hook, is_wrapper=options["wrapper"] or options["hookwrapper"])

    def _new_name(self, plugin: object) -> str:
        name = getattr(plugin, "__name__", None) or f"{type(plugin).__module__}.{type(plugin).__qualname__}"
        number, unique = 1, str(name)
        while unique in self._plugins:
            number += 1
            unique = f"{name}#{number}"
        return unique


def _parameters(function: Callable[..., Any]) -> list[tuple[str, object]] | None:
    try:
        # Not those of a function that it wraps, which are not what it takes itself.
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    except ValueError:
        return None
    return [(one.name, one.kind) for one in parameters]


def _unknown(hook: Callable[..., Any]) -> UnknownHook:
    name = getattr(hook, "__name__", hook)
    if hook not in _HOOKS.values():
        return UnknownHook(f"{name!r} is no hook; see huey_core.hookspecs for all")
    if name in OBSERVERS:
        return UnknownHook(f"{name!r} is an observer: notify() calls it")
    way, what = ("call", "the first result") if name in FIRST_RESULT else ("call_all", "every result")
    return UnknownHook(f"{name!r} is a control hook of which {what} counts: {way}() calls it")


def _blocked(plugins: Iterable[object]) -> dict[str, str]:
    names = [item.removeprefix(_BLOCK) for item in plugins if isinstance(item, str) and item.startswith(_BLOCK)]
    return {normalise(name): name for name in names}

"""Importing what an entry point names, and saying precisely what is wrong when that fails.

A failure is remembered for the listing of ``huey plugins``, because a plugin that nobody asked for only causes a
warning when it breaks.
"""

from __future__ import annotations

import importlib
import threading
from typing import Any, Final

from huey_core.backends.backend import HUEY_PLUGIN_API
from huey_core.exceptions import PluginException, PluginIncompatible, PluginLoadError
from huey_core.plugins.discovery import BACKENDS, Entry

__all__ = ["check_api", "failure", "is_loading", "load", "remember"]

_failures: Final[dict[Entry, PluginException]] = {}


class _Imports(threading.local):
    depth = 0


_imports: Final = _Imports()


def load(entry: Entry, base: type | None = None) -> Any:
    """Import what an entry point names, and check what it is: with ``base``, a subclass of that.

    Raises:
        PluginLoadError: It cannot be imported: its own code is missing or fails, or something that it needs is not
            installed. Or it is not a subclass of ``base``. The message says which; the cause is in ``__cause__``.
        PluginIncompatible: It was written for another version of the plugin API.
    """
    _imports.depth += 1
    try:
        plugin = _import(entry)
        check_api(plugin, entry.label, entry)
        if base is not None and not (isinstance(plugin, type) and issubclass(plugin, base)):
            raise _error(entry, f"{entry.value} is not a subclass of {base.__module__}.{base.__name__}")
    except PluginException as error:
        remember(entry, error)
        raise
    finally:
        _imports.depth -= 1
    _failures.pop(entry, None)
    return plugin


def is_loading() -> bool:
    """Whether this thread is importing a plugin, so that the modules of some may not be complete yet."""
    return _imports.depth > 0


def failure(entry: Entry) -> PluginException | None:
    """Return why the last attempt to load an entry point failed, or ``None``."""
    return _failures.get(entry)


def remember(entry: Entry, error: PluginException) -> None:
    """Keep an error that showed up after :func:`load`, for :func:`failure`."""
    _failures[entry] = error


def check_api(plugin: Any, name: str, entry: Entry | None = None) -> None:
    """Refuse a plugin that was written for another version of the plugin API; one that does not say is of version 1.

    A backend class says it in ``api_version``, and anything else in ``HUEY_PLUGIN_API``.
    """
    attribute = "api_version" if entry is not None and entry.group == BACKENDS else "HUEY_PLUGIN_API"
    version = getattr(plugin, attribute, 1)
    if version == HUEY_PLUGIN_API:
        return
    newer = isinstance(version, int) and version > HUEY_PLUGIN_API
    upgrade = "huey-core" if newer else entry.distribution if entry else "the plugin"
    raise PluginIncompatible(
        f"plugin {name!r}{f' of {entry.source}' if entry else ''} was written for version {version!r} of the plugin "
        f"API, and this huey-core has version {HUEY_PLUGIN_API}; upgrade {upgrade}",
        plugin=name,
        distribution=entry.distribution if entry else None,
    )


def _import(entry: Entry) -> Any:
    # Extras in brackets are an obsolete part of the format that installers still write.
    module, _, attributes = (part.strip() for part in entry.value.partition("[")[0].partition(":"))
    try:
        target: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _error(entry, _explain_missing(entry, module, error)) from error
    except (Exception, SystemExit) as error:
        raise _error(entry, f"importing {module!r} raised {type(error).__name__}: {error}") from error
    try:
        for attribute in filter(None, attributes.split(".")):
            target = getattr(target, attribute)
    except AttributeError as error:
        raise _error(entry, f"its module {module!r} has no {attributes!r}") from error
    return target


def _explain_missing(entry: Entry, module: str, error: ModuleNotFoundError) -> str:
    missing = error.name or ""
    if module == missing or module.startswith(f"{missing}."):
        return (
            f"its own module {missing!r} is missing; reinstall it: pip install --force-reinstall {entry.distribution}"
        )
    if missing.partition(".")[0] == module.partition(".")[0]:
        return f"importing {module!r} raised {type(error).__name__}: {error}"
    return (
        f"it needs the module {missing!r}, which is not installed; "
        f"reinstall it with what it needs: pip install --force-reinstall {entry.distribution}"
    )


def _error(entry: Entry, reason: str) -> PluginLoadError:
    return PluginLoadError(
        f"{entry.source} is installed, but its plugin {entry.label!r} cannot be loaded: {reason}",
        plugin=entry.name,
        distribution=entry.distribution,
    )

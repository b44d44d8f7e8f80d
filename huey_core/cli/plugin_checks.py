"""What ``huey doctor`` finds out about the installed plugins. Each is imported, and none of them can end the doctor."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from huey_core import hookspecs
from huey_core._version import __version__
from huey_core.backends.backend import HUEY_PLUGIN_API
from huey_core.cli.diagnosis import Finding, Level
from huey_core.exceptions import ConfigurationError, PluginException, PluginIncompatible
from huey_core.plugins.backends import backend_registry
from huey_core.plugins.command_options import OfferedOptions
from huey_core.plugins.discovery import BACKENDS, PLUGINS, SERIALIZERS, WORKERS
from huey_core.plugins.loading import load
from huey_core.plugins.manager import PluginManager
from huey_core.plugins.selection import CHOICE, DISABLE, chosen_distributions, disabled_names, normalise, not_installed
from huey_core.plugins.serializers import serializer_registry
from huey_core.plugins.status import PluginStatus, Status, consumer_script, plugin_rows
from huey_core.plugins.workers import worker_pool_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huey_core.plugins.discovery import Entry
    from huey_core.plugins.registry import LazyRegistry

__all__ = ["check_block_list", "check_choices", "check_core", "check_plugin", "check_script", "plugin_findings"]

_KINDS = {BACKENDS: "backend", SERIALIZERS: "serializer", WORKERS: "worker pool", PLUGINS: "hooks"}
_REGISTRIES: dict[str, LazyRegistry[Any]] = {
    BACKENDS: backend_registry,
    SERIALIZERS: serializer_registry,
    WORKERS: worker_pool_registry,
}


def plugin_findings() -> Iterator[Finding]:
    """Make every check that needs no server."""
    yield check_core()
    yield check_script()
    yield check_block_list()
    choices = check_choices()
    yield choices
    if choices.level is not Level.FAIL:
        offered = OfferedOptions()
        for row in plugin_rows():
            yield check_plugin(row, offered)


def check_core() -> Finding:
    """Say what runs here."""
    python = platform.python_version()
    sentence = f"{__version__}, plugin API {HUEY_PLUGIN_API}, Python {python}"
    facts = {"version": __version__, "api": HUEY_PLUGIN_API, "python": python}
    return Finding("huey-core", Level.OK, sentence, facts=facts)


def check_script() -> Finding:
    """Look whether the script ``huey_consumer`` on ``PATH`` is ours."""
    script = consumer_script()
    facts = asdict(script)
    use = "use 'huey consumer', which is the same program"
    if script.path is None:
        return Finding("huey_consumer", Level.WARN, "there is no such script on PATH", use, facts)
    if not script.is_ours:
        sentence = f"{script.path} is not ours: the PyPI package 'huey' has a script of the same name"
        return Finding("huey_consumer", Level.WARN, sentence, f"{use}, or reinstall huey-core", facts)
    return Finding("huey_consumer", Level.OK, script.path, facts=facts)


def check_block_list() -> Finding:
    """Look whether everything that is blocked is there to be blocked."""
    blocked = disabled_names()
    facts = {"blocked": list(blocked.values())}
    if not blocked:
        return Finding("block list", Level.OK, "empty", facts=facts)
    unknown = not_installed(blocked)
    sentence = f"{DISABLE} blocks {', '.join(blocked.values())}"
    if unknown:
        sentence += f", and {', '.join(unknown)} is not installed"
        return Finding("block list", Level.WARN, sentence, "look for a typing error in it", facts)
    return Finding("block list", Level.OK, sentence, facts=facts)


def check_choices() -> Finding:
    """Look whether the choices between distributions can be read."""
    try:
        choices = chosen_distributions()
    except ConfigurationError as error:
        return Finding("choices", Level.FAIL, str(error), f"fix or unset {CHOICE}")
    described = ", ".join(f"{name} by {distribution}" for name, distribution in choices.items())
    sentence = f"{CHOICE} has {described}" if choices else "none"
    return Finding("choices", Level.OK, sentence, facts={"choices": choices})


def check_plugin(row: PluginStatus, offered: OfferedOptions) -> Finding:
    """Load one plugin and say what it is, or why it cannot be used beside those that offered these options."""
    entry = row.entry
    check = f"{_KINDS[entry.group]} {entry.label}"
    facts: dict[str, Any] = {
        "group": entry.group,
        "name": entry.label,
        "distribution": entry.distribution,
        "version": entry.version,
        "target": entry.value,
        "status": row.status,
        "error": row.detail,
    }
    source = f"{entry.source} ({entry.value})"
    if row.status is Status.BLOCKED:
        return Finding(check, Level.WARN, f"{source} is blocked: {row.detail}", "unblock it if it is needed", facts)
    if row.status is not Status.OK:
        # A conflict's own sentence says how to choose.
        advice = "" if row.status is Status.CONFLICT else _remedy(entry)
        return Finding(check, Level.FAIL, f"{source}: {row.detail}", advice, facts)
    try:
        return _look(check, source, entry, facts, offered)
    # Foreign code may fail in any way while it is imported and looked at, and may even call sys.exit().
    except (Exception, SystemExit) as error:  # noqa: BLE001
        reason = str(error) if isinstance(error, PluginException) else f"it raised {error!r} when it was loaded"
        status = Status.INCOMPATIBLE if isinstance(error, PluginIncompatible) else Status.BROKEN
        facts |= {"status": status, "error": reason}
        return Finding(check, Level.FAIL, f"{source}: {reason}", _remedy(entry), facts)


def _look(check: str, source: str, entry: Entry, facts: dict[str, Any], offered: OfferedOptions) -> Finding:
    """Load a plugin as it is loaded when it is used, and look at it."""
    if entry.group == PLUGINS:
        manager = PluginManager(installed=False)
        manager.load(entry)
        plugin = load(entry)
        facts["options"] = list(manager.options.by_name)
        offered.add(entry.name, list(manager.options.by_name.values()))
    else:
        plugin = _REGISTRIES[entry.group].load(entry)
    facts["api"] = getattr(plugin, "api_version" if entry.group == BACKENDS else "HUEY_PLUGIN_API", 1)
    sentence = f"{source}, API {facts['api']}"
    if entry.group == BACKENDS:
        return _look_at_backend(check, sentence, plugin, entry, facts)
    if entry.group == WORKERS:
        facts["abilities"] = sorted(ability.value for ability in plugin.abilities)
        sentence += f", {', '.join(facts['abilities']) or 'no abilities beyond running commands'}"
    if entry.group == PLUGINS:
        return _look_at_hooks(check, sentence, plugin, manager.hooks(), facts)
    return Finding(check, Level.OK, sentence, facts=facts)


def _look_at_backend(check: str, sentence: str, plugin: Any, entry: Entry, facts: dict[str, Any]) -> Finding:
    facts["schemes"] = sorted(plugin.schemes)
    facts["capabilities"] = sorted(capability.value for capability in plugin.capabilities)
    if entry.label not in plugin.schemes:
        sentence += f", which answers to {', '.join(plugin.schemes)} and not to {entry.label}"
        return Finding(check, Level.WARN, sentence, "report it to the authors of the plugin", facts)
    return Finding(check, Level.OK, sentence, facts=facts)


def _look_at_hooks(check: str, sentence: str, plugin: Any, hooks: list[str], facts: dict[str, Any]) -> Finding:
    unmarked = sorted(set(hookspecs.names()) & set(dir(plugin)) - set(hooks))
    facts |= {"hooks": hooks, "unmarked_hooks": unmarked}
    sentence += f", implements {', '.join(hooks) or 'no hook'}"
    if unmarked:
        sentence += f"; {', '.join(unmarked)} is never called, because it is not marked @hookimpl"
    advice = "report it to the authors of the plugin" if unmarked or not hooks else ""
    return Finding(check, Level.WARN if advice else Level.OK, sentence, advice, facts)


def _remedy(entry: Entry) -> str:
    name = normalise(entry.distribution)
    return f"upgrade, reinstall or uninstall {name}, or block it with {DISABLE}={name}"

"""What is installed and in which state, for an operator to see. Nothing is imported unless that is asked for."""

from __future__ import annotations

import enum
import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from huey_core.exceptions import PluginException, PluginIncompatible
from huey_core.plugins.backends import backend_registry
from huey_core.plugins.discovery import BACKENDS, PLUGINS, SERIALIZERS, WORKERS, Entry, entries
from huey_core.plugins.loading import failure
from huey_core.plugins.manager import PluginManager
from huey_core.plugins.selection import CHOICE, DISABLE, disabled_names, is_named, select
from huey_core.plugins.serializers import serializer_registry
from huey_core.plugins.workers import worker_pool_registry

if TYPE_CHECKING:
    from huey_core.commands.option import CommandOption

__all__ = ["ConsumerScript", "PluginStatus", "Status", "consumer_script", "plugin_rows"]

CONSUMER_SCRIPT: Final = "huey_consumer"


class Status(enum.StrEnum):
    """Whether a plugin can be used."""

    OK = "ok"
    BLOCKED = "blocked"
    CONFLICT = "conflict"
    INCOMPATIBLE = "incompatible"
    BROKEN = "broken"

    @property
    def is_fault(self) -> bool:
        """Whether somebody has to do something about it."""
        return self not in (Status.OK, Status.BLOCKED)


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """One installed plugin, and why it cannot be used; only an attempt to load it shows that it is broken.

    Attributes:
        entry: Its entry point.
        status: Whether it can be used.
        detail: Why not.
        options: The options of commands that it offers; empty before it is loaded.
    """

    entry: Entry
    status: Status
    detail: str = ""
    options: tuple[CommandOption[Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ConsumerScript:
    """The script ``huey_consumer`` that a shell would start.

    The PyPI package ``huey`` installs a script of the same name, and the one installed last overwrites the other.
    """

    path: str | None
    is_ours: bool


def plugin_rows(load: bool = False) -> list[PluginStatus]:
    """List every entry point: backends, serializers, worker pools, hooks.

    With ``load``, the plugins that are not blocked are imported, to see which of them are broken and which options they
    offer to commands.

    Raises:
        ConfigurationError: ``HUEY_PLUGIN_CHOICE`` cannot be read.
    """
    rows = []
    manager = PluginManager(installed=False) if load else None
    named = (backend_registry, serializer_registry, worker_pool_registry)
    for found in (*(registry.entries() for registry in named), entries(PLUGINS)):
        claims: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in found:
            claims[entry.name].append(entry)
        rows += [_status(entry, claims[entry.name], manager) for entry in found]
    return rows


def consumer_script() -> ConsumerScript:
    """Look for the script ``huey_consumer`` on ``PATH`` and say whose it is."""
    path = shutil.which(CONSUMER_SCRIPT)
    return ConsumerScript(path, path is not None and b"huey_core" in Path(path).read_bytes())


def _status(entry: Entry, claims: list[Entry], manager: PluginManager | None) -> PluginStatus:
    if not entry.is_well_named:
        return PluginStatus(entry, Status.BROKEN, "its name is not lower case, so it can never be found")
    if is_named(entry, disabled_names()):
        return PluginStatus(entry, Status.BLOCKED, f"the environment variable {DISABLE} names it")
    try:
        chosen = select(claims)
    except PluginException as error:
        return PluginStatus(entry, Status.CONFLICT, str(error))
    if chosen != entry:
        return PluginStatus(entry, Status.BLOCKED, f"{CHOICE} chooses {chosen.source} for {entry.label!r}")
    fault = failure(entry) if manager is None else _try_to_load(entry, manager)
    if fault is None:
        offered = manager.options.by_plugin if manager is not None and entry.group == PLUGINS else {}
        return PluginStatus(entry, Status.OK, options=offered.get(entry.name, ()))
    status = Status.INCOMPATIBLE if isinstance(fault, PluginIncompatible) else Status.BROKEN
    return PluginStatus(entry, status, str(fault))


def _try_to_load(entry: Entry, manager: PluginManager) -> PluginException | None:
    load = {
        BACKENDS: backend_registry.load,
        SERIALIZERS: serializer_registry.load,
        WORKERS: worker_pool_registry.load,
        PLUGINS: manager.load,
    }
    try:
        load[entry.group](entry)
    except PluginException as error:
        return error
    return None

"""``huey plugins``: what is installed, and whether it can be used."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from huey_core.cli.output import echo_json, echo_table
from huey_core.cli.target import json_option
from huey_core.commands.core_options import CORE_OPTIONS
from huey_core.hookspecs import PROJECT
from huey_core.plugins.discovery import PLUGINS
from huey_core.plugins.status import Status, consumer_script, plugin_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from huey_core.commands.option import CommandOption
    from huey_core.plugins.status import ConsumerScript, PluginStatus

__all__ = ["plugins"]


@click.command(
    epilog="""
    \b
    Example:    huey plugins --load
    Exit code:  0  every plugin is ok or blocked
                1  one is broken, incompatible, or in conflict with another
    """,
)
@click.option("--load", is_flag=True, help="Import each plugin that is not blocked, to find the broken ones.")
@json_option
def plugins(load: bool, as_json: bool) -> None:
    """List the installed plugins: backends, serializers, worker pools and hooks, and the options of commands.

    Without --load nothing is imported, so a plugin that breaks on import cannot get in the way; it shows as "ok" until
    it is tried, and the options that it offers are not listed. HUEY_DISABLE_PLUGINS=a,b blocks plugins by name or by
    distribution, and HUEY_PLUGIN_CHOICE=redis=huey-redis settles which of two serves a name.
    """
    rows = plugin_rows(load=load)
    script = consumer_script()
    if as_json:
        echo_json(
            {
                "plugins": [_as_json(row) for row in rows],
                "options": [_option_as_json(plugin, option) for plugin, options in _offers(rows) for option in options],
                "huey_consumer": asdict(script),
            }
        )
    else:
        _echo(rows, script, load)
    sys.exit(1 if any(row.status.is_fault for row in rows) else 0)


def _echo(rows: list[PluginStatus], script: ConsumerScript, load: bool) -> None:
    echo_table(
        ("status", "group", "name", "distribution", "target"),
        [
            (row.status, row.entry.group.rpartition(".")[2], row.entry.label, row.entry.source, row.entry.value)
            for row in rows
        ],
    )
    details = list(dict.fromkeys(f"{row.status}: {row.detail}" for row in rows if row.detail))
    if details:
        click.echo()
    for detail in details:
        click.echo(detail)
    click.echo()
    echo_table(
        ("plugin", "options of commands"),
        [(plugin, ", ".join(option.name for option in options)) for plugin, options in _offers(rows)],
    )
    if not load and any(row.entry.group == PLUGINS and row.status is Status.OK for row in rows):
        click.echo("What the installed plugins offer is listed with --load.")
    if not script.is_ours:
        click.echo()
        click.echo(_describe_script(script))


def _offers(rows: list[PluginStatus]) -> list[tuple[str, Iterable[CommandOption[Any]]]]:
    """The options of commands by plugin: core's, and those of the plugins that were loaded."""
    return [(PROJECT, CORE_OPTIONS.values()), *((row.entry.name, row.options) for row in rows if row.options)]


def _describe_script(script: ConsumerScript) -> str:
    if script.path is None:
        return "There is no script huey_consumer on PATH; 'huey consumer' is the same program."
    return (
        f"{script.path} is not ours: the PyPI package 'huey' has a script of the same name. "
        "Use 'huey consumer', which is the same program, or reinstall huey-core."
    )


def _as_json(row: PluginStatus) -> dict[str, Any]:
    entry = row.entry
    return {
        "status": row.status,
        "group": entry.group,
        "name": entry.label,
        "distribution": entry.distribution,
        "version": entry.version,
        "target": entry.value,
        "detail": row.detail,
    }


def _option_as_json(plugin: str, option: CommandOption[Any]) -> dict[str, Any]:
    return {
        "name": option.name,
        "plugin": plugin,
        "default": option.default,
        "travels": option.travels,
        "needs": option.needs_in_words,
        "help": option.help,
    }

"""``huey plugins``: what is installed, and whether it can be used."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from huey_core.cli.output import echo_json, echo_table
from huey_core.cli.target import json_option
from huey_core.plugins.status import consumer_script, plugin_rows

if TYPE_CHECKING:
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
    """List the installed plugins: backends, serializers, worker pools and hooks.

    Without --load nothing is imported, so a plugin that breaks on import cannot get in the way; it shows as "ok" until
    it is tried. HUEY_DISABLE_PLUGINS=a,b blocks plugins by name or by distribution, and
    HUEY_PLUGIN_CHOICE=redis=huey-redis settles which of two serves a name.
    """
    rows = plugin_rows(load=load)
    script = consumer_script()
    if as_json:
        echo_json({"plugins": [_as_json(row) for row in rows], "huey_consumer": asdict(script)})
    else:
        _echo(rows, script)
    sys.exit(1 if any(row.status.is_fault for row in rows) else 0)


def _echo(rows: list[PluginStatus], script: ConsumerScript) -> None:
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
    if not script.is_ours:
        click.echo()
        click.echo(_describe_script(script))


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

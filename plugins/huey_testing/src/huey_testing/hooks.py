"""The hooks of huey-testing for huey-core: they add ``huey new-plugin`` to the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey_core.hookspecs import hookimpl

if TYPE_CHECKING:
    import click

__all__ = ["HUEY_PLUGIN_API", "huey_register_commands"]

HUEY_PLUGIN_API = 1
"""The version of the plugin API that this is written for."""


@hookimpl
def huey_register_commands(cli: click.Group) -> None:
    """Add ``new-plugin``."""
    # Every program that loads hooks imports this module, and few of them write plugins.
    from huey_testing.scaffold.command import new_plugin

    cli.add_command(new_plugin)

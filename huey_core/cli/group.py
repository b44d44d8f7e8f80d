"""The group of subcommands: core's, imported one by one as they are used, and those that plugins add.

Plugins are loaded only to list all commands or to find one that core does not have, so that ``huey plugins`` works
when a plugin does not.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final

import click

from huey_core import hookspecs
from huey_core._version import __version__
from huey_core.backends.backend import HUEY_PLUGIN_API
from huey_core.cli.output import one_line_errors
from huey_core.exceptions import QueueException
from huey_core.plugins.known import KNOWN_COMMANDS

__all__ = ["HueyGroup", "huey", "run_alone"]

_COMMANDS: Final = {
    "cancel": "huey_core.cli.cancel",
    "consumer": "huey_core.cli.consumer",
    "dead": "huey_core.cli.dead",
    "doctor": "huey_core.cli.doctor",
    "health": "huey_core.cli.health",
    "info": "huey_core.cli.info",
    "pause": "huey_core.cli.pause",
    "periodic": "huey_core.cli.periodic",
    "plugins": "huey_core.cli.plugins",
    "queues": "huey_core.cli.queues",
    "resume": "huey_core.cli.pause",
    "setup": "huey_core.cli.setup",
}


class HueyGroup(click.Group):
    """A group that knows where core's subcommands are, and asks plugins for more."""

    _asked_plugins = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command."""
        self._ask_plugins()
        return sorted({*_COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Find one command. A plugin cannot replace one of core's."""
        if cmd_name in _COMMANDS:
            return _core_command(cmd_name)
        self._ask_plugins()
        command = super().get_command(ctx, cmd_name)
        if command is None and cmd_name in KNOWN_COMMANDS:
            distribution = KNOWN_COMMANDS[cmd_name]
            ctx.fail(f"{cmd_name!r} is a command of {distribution}; install it with: pip install {distribution}")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of huey-core ends it with one line."""
        with one_line_errors():
            return super().invoke(ctx)

    def _ask_plugins(self) -> None:
        if self._asked_plugins:
            return
        self._asked_plugins = True
        from huey_core.plugins.manager import PluginManager

        try:
            PluginManager().notify(hookspecs.huey_register_commands, cli=self)
        except QueueException as error:
            click.echo(f"Warning: commands of plugins are missing: {error}", err=True)


@click.group(cls=HueyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message=f"huey-core %(version)s (plugin API {HUEY_PLUGIN_API})")
def huey() -> None:
    """Run and look after task queues.

    A URL such as redis://localhost:6379/0?queue=mail names a server and a queue on it. Commands that take a URL use
    the environment variable HUEY_URL when none is given. Every command explains itself: huey COMMAND --help
    """


def run_alone(name: str, prog_name: str) -> None:
    """Run one of core's commands as a program of its own, and exit."""
    try:
        with one_line_errors():
            _core_command(name).main(prog_name=prog_name)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


def _core_command(name: str) -> click.Command:
    command: click.Command = getattr(importlib.import_module(_COMMANDS[name]), name)
    return command

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from huey_core import __version__
from huey_core.cli.group import HueyGroup, huey


def tree(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    found = [(name, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child in command.list_commands(context):
            found += tree(command.get_command(context, child), f"{name} {child}")
    return found


COMMANDS = dict(tree(huey, "huey"))


EXTRA_COMMAND = """
import click
from huey_core.hookspecs import hookimpl

@hookimpl
def huey_register_commands(cli):
    @cli.command()
    def greet():
        "Greet."
        click.echo("hello")
"""


def run_fresh(*words: str):
    group = HueyGroup("huey", callback=lambda: None)
    return CliRunner().invoke(group, words)


def test_a_plugin_adds_a_command(install):
    install(EXTRA_COMMAND)

    assert run_fresh("greet").output == "hello\n"
    assert "greet" in run_fresh("--help").output


def test_a_plugin_cannot_replace_a_command_of_core(install):
    install(EXTRA_COMMAND.replace("greet", "plugins"))

    assert "hello" not in run_fresh("plugins").output


def test_a_plugin_that_fails_to_add_its_command_leaves_the_others(install, caplog):
    install(EXTRA_COMMAND.replace("@cli.command()", "1 / 0"))

    result = run_fresh("--help")

    assert (result.exit_code, "plugins" in result.output) == (0, True)
    assert "plugin extra failed in huey_register_commands" in caplog.text


def test_a_plugin_with_an_unknown_hook_leaves_the_command_line_working(install):
    install(EXTRA_COMMAND.replace("huey_register_commands", "huey_register_comands"))

    result = run_fresh("--help")

    assert result.exit_code == 0
    assert "Warning: commands of plugins are missing: plugin 'extra' implements" in result.stderr


def test_the_version_is_shown(cli):
    assert cli.run("--version").output.startswith(f"huey-core {__version__} ")


@pytest.mark.parametrize("words", [["-m", "huey_core"], ["-c", "from huey_core.cli import main; main()"]])
def test_the_command_line_runs_as_a_program(words):
    finished = subprocess.run([sys.executable, *words, "--version"], capture_output=True, text=True, check=True)

    assert finished.stdout.startswith(f"huey-core {__version__} ")


def test_an_unknown_command_exits_with_2(cli):
    assert cli.run("plugin").exit_code == 2


def test_one_command_does_not_import_the_modules_of_the_others():
    code = """if True:
        import sys
        from huey_core.cli.group import huey
        huey.main(["plugins", "--help"], standalone_mode=False)
        print([name for name in sys.modules if name in ("huey_core.cli.dead", "huey_core.cli.consumer")])
    """
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert finished.stdout.endswith("[]\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_its_options(name):
    result = CliRunner().invoke(huey, [*name.split()[1:], "--help"])
    options = [parameter for parameter in COMMANDS[name].params if isinstance(parameter, click.Option)]

    assert (result.exit_code, bool(COMMANDS[name].help)) == (0, True)
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("name", [name for name, each in COMMANDS.items() if not isinstance(each, click.Group)])
def test_every_command_has_an_example_and_explains_its_exit_code(name):
    text = CliRunner().invoke(huey, [*name.split()[1:], "--help"]).output

    assert "Example" in text
    assert "Exit code" in text

from __future__ import annotations

import json

from huey_core import __version__
from huey_core.commands.core_options import CORE_OPTIONS
from huey_core.plugins.discovery import PLUGINS


def test_plugins_lists_what_is_installed(cli):
    result = cli.run("plugins")

    assert result.output.splitlines()[0].split() == ["STATUS", "GROUP", "NAME", "DISTRIBUTION", "TARGET"]
    assert f"huey-core {__version__}" in result.output
    assert "huey_memory:MemoryBackend" in result.output


def test_plugins_as_json_has_one_object_for_each(cli):
    shown = json.loads(cli.run("plugins", "--json").output)

    (memory,) = [plugin for plugin in shown["plugins"] if plugin["name"] == "memory"]
    assert (memory["status"], memory["distribution"], memory["group"]) == ("ok", "huey-memory", "huey_core.backends")
    assert set(shown["huey_consumer"]) == {"path", "is_ours"}


def test_plugins_shows_a_broken_plugin_as_ok_until_it_is_loaded(cli, install):
    install("1 / 0")

    unloaded = json.loads(cli.run("plugins", "--json").output)["plugins"]
    loaded = cli.run("plugins", "--load")

    assert {plugin["name"]: plugin["status"] for plugin in unloaded}["extra"] == "ok"
    assert (loaded.exit_code, "ZeroDivisionError" in loaded.output) == (1, True)


def test_plugins_lists_a_blocked_plugin_with_the_reason(cli, monkeypatch):
    monkeypatch.setenv("HUEY_DISABLE_PLUGINS", "huey-memory")

    result = cli.run("plugins")

    assert "blocked: the environment variable HUEY_DISABLE_PLUGINS names it" in result.output


def test_plugins_says_when_the_consumer_script_is_that_of_the_package_huey(cli, tmp_path, monkeypatch):
    script = tmp_path / "huey_consumer"
    script.write_text("#!/usr/bin/python\nfrom huey.bin.huey_consumer import consumer_main\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert f"{script} is not ours: the PyPI package 'huey'" in cli.run("plugins").output


OFFERS_LOCK = """
from huey_core import hookimpl
from huey_core.backends import Capability
from huey_core.commands import CommandOption, flag

@hookimpl
def huey_command_options():
    return [CommandOption("lock", flag, False, needs=Capability.DELAY, help="Something.")]
"""


def options(cli, *arguments):
    return [
        (option["plugin"], option["name"])
        for option in json.loads(cli.run("plugins", "--json", *arguments).output)["options"]
    ]


def test_plugins_lists_the_options_of_core(cli):
    offers = cli.run("plugins").output.partition("OPTIONS OF COMMANDS\n")[2].splitlines()

    assert offers[0].split(maxsplit=1) == ["huey_core", ", ".join(CORE_OPTIONS)]


def test_plugins_lists_the_options_of_a_plugin_that_is_loaded(cli, install):
    install(OFFERS_LOCK)

    assert options(cli) == [("huey_core", name) for name in CORE_OPTIONS]
    assert options(cli, "--load") == [*(("huey_core", name) for name in CORE_OPTIONS), ("extra", "lock")]


def test_plugins_says_how_to_list_the_options_of_plugins(cli, install):
    install(OFFERS_LOCK)
    note = "What the installed plugins offer is listed with --load."

    assert note in cli.run("plugins").output
    assert note not in cli.run("plugins", "--load").output


def test_plugins_says_what_an_option_is_and_needs(cli, install):
    install(OFFERS_LOCK)

    shown = json.loads(cli.run("plugins", "--json", "--load").output)["options"]

    assert shown[-1] == {
        "name": "lock",
        "plugin": "extra",
        "default": False,
        "travels": False,
        "needs": "delay",
        "help": "Something.",
    }


def test_plugins_shows_which_two_offer_one_option(cli, site):
    for name in ("limits", "locks"):
        module = f"{name}_with_lock"
        site.install(f"huey-{name}", {PLUGINS: {name: module}}, {module: OFFERS_LOCK})

    shown = cli.run("plugins", "--load")

    assert (shown.exit_code, "plugins 'limits' and 'locks' both offer the option 'lock'" in shown.output) == (1, True)

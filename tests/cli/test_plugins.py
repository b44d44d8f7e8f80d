from __future__ import annotations

import json

from huey_core import __version__


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

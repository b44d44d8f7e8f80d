"""Options of the consumer that cannot be used are a wrong command line; what it does is tested with the consumer."""

from __future__ import annotations

import sys

import pytest


@pytest.mark.parametrize(
    "words",
    [
        ("--lease", "inf"),
        ("--lease", "nan"),
        ("--lease", "0.5"),
        ("--lease", "999999999999"),
        ("--shutdown-timeout", "inf"),
        ("--shutdown-timeout", "nan"),
        ("--shutdown-timeout", "-1"),
        ("--threads", "0"),
    ],
)
def test_a_value_that_cannot_be_used_is_a_wrong_command_line(cli, words):
    result = cli.run("consumer", "main.Configuration", *words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert words[0] in result.stderr


@pytest.fixture
def write_module(tmp_path, monkeypatch):
    """Write a module that the consumer finds in the current directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    return lambda name, text: (tmp_path / f"{name}.py").write_text(text)


def test_an_application_that_cannot_be_imported_is_shown_from_its_own_first_line(cli, write_module):
    write_module("shop_of_errors", "import shop_of_commands\n")
    write_module("shop_of_commands", "1 / 0\n")

    result = cli.run("consumer", "shop_of_errors.Configuration")

    first, *_, last = [line for line in result.stderr.splitlines() if not line.startswith("    ")]
    assert (result.exit_code, first) == (1, "Traceback (most recent call last):")
    assert last.startswith("ZeroDivisionError")
    frames = [line for line in result.stderr.splitlines() if line.startswith("  File ")]
    assert ["shop_of_errors.py" in frames[0], "shop_of_commands.py" in frames[1], len(frames)] == [True, True, 2]


def test_an_error_of_huey_core_in_an_application_is_one_line_that_says_where(cli, write_module):
    write_module("shop_of_options", "import shop_of_retries\n")
    write_module(
        "shop_of_retries",
        "import huey_core\n\ninvoker = huey_core.Invoker('memory://')\n\n\n"
        "@huey_core.queue_command(invoker, retries='x')\ndef brew(): ...\n",
    )

    result = cli.run("consumer", "shop_of_options.Configuration")

    [line] = result.stderr.splitlines()
    assert (result.exit_code, line[:15]) == (1, "Error: retries ")
    assert line.endswith("shop_of_retries.py, line 6")


def test_an_unknown_worker_pool_is_one_line_with_the_closest_name(cli, write_module):
    write_module(
        "shop_of_pools",
        "from huey_core.consumer import BaseConfiguration\n\n\n"
        "class Configuration(BaseConfiguration):\n    QUEUE = 'memory://shop_of_pools'\n",
    )

    result = cli.run("consumer", "shop_of_pools.Configuration", "--worker-type", "threads")

    [line] = result.stderr.splitlines()
    assert result.exit_code == 1
    assert line.startswith("Error: no worker pool is installed for the name 'threads'; did you mean 'thread'?")


def test_a_mistake_in_the_syntax_of_an_application_is_shown_without_the_way_to_it(cli, write_module):
    write_module("shop_of_riddles", "def\n")

    result = cli.run("consumer", "shop_of_riddles.Configuration")

    assert result.exit_code == 1
    assert result.stderr.lstrip().startswith('File "')
    assert "shop_of_riddles.py" in result.stderr.splitlines()[0]
    assert "importlib" not in result.stderr


def test_what_a_burst_waits_for_is_asked_for_with_a_burst_only(cli, write_module):
    write_module(
        "shop_of_hours",
        "from huey_core.consumer import BaseConfiguration\n\n\n"
        "class Configuration(BaseConfiguration):\n    QUEUE = 'memory://shop_of_hours'\n",
    )

    result = cli.run("consumer", "shop_of_hours.Configuration", "--burst-wait", "30")

    assert result.exit_code == 2
    assert "give --burst, too" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--reload-dir", "."), "give --reload, too"),
        (("--reload", "--reload-dir", "nowhere"), "there is no directory 'nowhere'"),
        (("--reload", "--burst"), "leave one of them out"),
    ],
)
def test_options_that_contradict_each_other_are_a_wrong_command_line(cli, words, said):
    result = cli.run("consumer", "main.Configuration", *words)

    assert result.exit_code == 2
    assert said in result.stderr


def test_without_what_watches_files_the_extra_is_named(cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "watchfiles", None)

    result = cli.run("consumer", "main.Configuration", "--reload")

    assert result.exit_code == 1
    assert "pip install 'huey-core[reload]'" in result.stderr

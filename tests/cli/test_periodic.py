"""``huey periodic``: schedules, by a URL and by an application."""

from __future__ import annotations

import json
import sys
import time
import types

import pytest

from huey_core import CommandRegistry, Invoker, crontab, periodic_command, queue_command
from huey_core.backends.messages import State
from huey_core.consumer import BaseConfiguration
from huey_core.invoker.schedules.info import ScheduleState

NIGHTLY = crontab(hour=3, minute=0)


@pytest.fixture
def invoker(cli):
    """An invoker at the URL of the command line, with a declared schedule and a kept one."""
    invoker = Invoker.from_url(cli.url, registry=CommandRegistry())

    @queue_command(invoker, name="report")
    def report(kind): ...

    @periodic_command(invoker, crontab(minute="*/5"), name="clean_up")
    def clean_up(): ...

    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)
    yield invoker
    invoker.close()


@pytest.fixture
def app(cli, invoker, monkeypatch):
    """The dotted path of the application."""
    module = types.ModuleType("shop_of_this_test")
    # Of its own, since the command closes it.
    module.invoker = Invoker.from_url(cli.url, registry=invoker.registry)
    module.Configuration = type("Configuration", (BaseConfiguration,), {"INVOKER": module.invoker})
    module.LocalConfiguration = type("LocalConfiguration", (module.Configuration,), {"UTC": False})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return f"{module.__name__}.Configuration"


def listed(cli, *words):
    return {row["name"]: row for row in json.loads(cli.run("periodic", "list", *words, "--json").output)}


def test_an_application_has_declared_and_kept_schedules(cli, app):
    rows = listed(cli, app)

    assert {name: (row["command"], row["state"], row["declared"]) for name, row in rows.items()} == {
        "clean_up": ("clean_up", "active", True),
        "nightly": ("report", "active", False),
    }
    assert rows["nightly"]["schedule"] == str(NIGHTLY)
    assert rows["nightly"]["next_run"].endswith("T03:00:00+00:00")
    assert rows["nightly"]["last_run"] is None


def test_the_table_has_a_line_for_each(cli, app):
    heading, declared, kept = cli.run("periodic", "list", app).stdout.splitlines()

    assert heading.split() == ["NAME", "STATE", "FROM", "NEXT", "RUN", "LAST", "RUN", "SCHEDULE", "COMMAND"]
    assert (declared.split()[:3], kept.split()[:3]) == (
        ["clean_up", "active", "declared"],
        ["nightly", "active", "kept"],
    )


@pytest.mark.parametrize(
    ("words", "hour"),
    [(["Configuration"], "03"), (["LocalConfiguration"], "18"), (["invoker"], "03"), (["invoker", "--local"], "18")],
)
@pytest.mark.usefixtures("app")
def test_the_next_run_is_that_of_consumers_with_the_same_setting(cli, invoker, monkeypatch, words, hour):
    periodic_command(invoker, NIGHTLY, name="sweep")(lambda: None)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()

    next_run = listed(cli, f"shop_of_this_test.{words[0]}", *words[1:])["sweep"]["next_run"]

    monkeypatch.undo()
    time.tzset()
    assert next_run.endswith(f"T{hour}:00:00+00:00")


@pytest.mark.parametrize("target", ["shop_of_this_test.Configuration", "shop_of_this_test.invoker"])
def test_an_application_is_a_configuration_or_an_invoker(cli, app, target):
    assert listed(cli, target).keys() == {"clean_up", "nightly"}


def test_an_application_is_looked_for_in_the_current_directory_first(cli, tmp_path, monkeypatch):
    lines = ["from huey_core import Invoker", f"def make(): return Invoker.from_url({cli.url!r})"]
    (tmp_path / "in_this_directory.py").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.delitem(sys.modules, "in_this_directory", raising=False)

    assert cli.run("periodic", "list", "in_this_directory.make").exit_code == 0


@pytest.mark.usefixtures("invoker")
def test_a_url_has_the_kept_ones(cli):
    assert listed(cli, cli.url).keys() == {"nightly"}


@pytest.mark.usefixtures("invoker")
def test_another_queue_has_others(cli):
    result = cli.run("periodic", "list", cli.url, "--queue", "mail")

    assert result.stdout.startswith("queue 'mail' has no schedules that were made at run time")
    assert "give the application" in result.stdout


def test_the_help_of_list_has_a_line_for_each_state(cli):
    lines = [line.strip() for line in cli.run("periodic", "list", "--help").stdout.splitlines()]

    assert 'paused      nothing is run until "huey periodic resume"' in lines


def test_a_kept_one_is_paused_resumed_and_removed_by_a_url(cli, invoker):
    queue = invoker.queue.name

    assert cli.run("periodic", "pause", cli.url, "nightly").stdout == f"'nightly' of queue {queue!r} is paused\n"
    assert invoker.schedules.get("nightly").state is ScheduleState.PAUSED
    assert cli.run("periodic", "resume", cli.url, "nightly").stdout == f"'nightly' of queue {queue!r} goes on\n"
    assert invoker.schedules.get("nightly").state is ScheduleState.ACTIVE
    assert cli.run("periodic", "remove", cli.url, "nightly").stdout == f"'nightly' of queue {queue!r} is removed\n"
    assert [info.name for info in invoker.schedules.list()] == ["clean_up"]


def test_the_environment_may_name_the_url(cli, invoker, monkeypatch):
    monkeypatch.setenv("HUEY_URL", cli.url)

    cli.run("periodic", "pause", "nightly")

    assert invoker.schedules.get("nightly").state is ScheduleState.PAUSED


def test_a_declared_one_is_paused_by_the_application_and_resumed_by_a_url(cli, app, invoker):
    cli.run("periodic", "pause", app, "clean_up")
    assert invoker.schedules.get("clean_up").state is ScheduleState.PAUSED

    assert listed(cli, cli.url)["clean_up"]["state"] == "paused"

    cli.run("periodic", "resume", cli.url, "clean_up")
    assert invoker.schedules.get("clean_up").state is ScheduleState.ACTIVE


def test_one_run_is_enqueued_now(cli, app, invoker):
    output = cli.run("periodic", "run", app, "nightly").stdout

    [message] = invoker.queue.peek(State.READY)
    assert output == f"'nightly' of queue {invoker.queue.name!r} is enqueued as {message.message_id}\n"
    assert invoker.codec.decode(message.data).data == (["pdf"], {})


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("run", "URL", "nightly"), 1, "give the application"),
        (("pause", "URL", "clean_up"), 1, "give the application"),
        (("pause", "shop_of_this_test.invoker", "nihgtly"), 1, "did you mean 'nightly'?"),
        (("remove", "shop_of_this_test.invoker", "clean_up"), 1, "declared in code"),
        (("pause", "shop_of_this_test", "nightly"), 2, "'shop_of_this_test' is neither a URL nor a dotted path"),
        (("pause", "no_such_module.invoker", "nightly"), 1, "there is no module 'no_such_module'"),
        (("pause", "shop_of_this_test.nothing", "nightly"), 1, "shop_of_this_test.nothing is neither"),
        (("pause", "nightly"), 2, "or set HUEY_URL"),
        (("pause", "URL", "one", "two"), 2, "the name of one schedule"),
    ],
)
@pytest.mark.usefixtures("app")
def test_what_cannot_be_done_is_told_in_one_line(cli, words, code, error):
    result = cli.run("periodic", *(cli.url if word == "URL" else word for word in words))

    assert (result.exit_code, error in result.stderr) == (code, True), result.stderr


@pytest.mark.usefixtures("plain_backend")
def test_a_backend_that_cannot_keep_them_is_named(cli):
    result = cli.run("periodic", "list", "plain://")

    assert (result.exit_code, "which schedules at run time need" in result.stderr) == (1, True)


def test_the_help_teaches_the_states(cli):
    output = cli.run("periodic", "list", "--help").stdout

    assert [state for state in ScheduleState if state not in output] == []

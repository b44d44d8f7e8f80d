from __future__ import annotations

import json

import pytest

from huey_core.backends.backend import Backend
from huey_core.backends.options import Option
from huey_core.plugins.backends import backend_registry


class Unreachable(Backend):
    schemes = ("unreachable",)
    api_version = 1
    capabilities = frozenset()
    options = (Option("size", int, 10, "how many"),)

    def queue(self, name):
        class Queue:
            pass

        Queue.name = name
        return Queue

    def data_store(self, name):
        raise NotImplementedError

    def ping(self):
        raise OSError(f"no route to host for {self.url.render(hide_password=False)}")


@pytest.fixture
def unreachable():
    backend_registry.register("unreachable", Unreachable)
    yield "unreachable://user:s3cret%21@host/"
    backend_registry.unregister("unreachable")


def test_info_names_the_plugin_its_capabilities_and_the_counts(cli):
    cli.write("one")
    cli.bury("two")

    result = cli.run("info", cli.url)

    assert result.exit_code == 0
    for part in ("huey-memory", "atomic_settle", "1 ready, 0 scheduled, 0 running, 1 dead", cli.url):
        assert part in result.output


def test_info_says_that_a_queue_is_paused(cli):
    cli.queue.pause()

    assert "0 dead, paused" in cli.run("info", cli.url).output


def test_info_of_another_queue(cli):
    cli.write("one")

    shown = json.loads(cli.run("info", "memory://", "--queue", cli.queue.name, "--json").output)

    assert (shown["queue"], shown["counts"]["ready"], shown["reachable"]) == (cli.queue.name, 1, True)


def test_info_takes_the_url_from_the_environment(cli, monkeypatch):
    monkeypatch.setenv("HUEY_URL", cli.url)

    assert f"queue {cli.queue.name}" in cli.run("info").output


def test_a_server_that_does_not_answer_is_exit_code_1(cli, unreachable):
    result = cli.run("info", unreachable)

    assert result.exit_code == 1
    assert "not reachable: " in result.output
    assert "OSError: no route to host" in result.output


def test_a_password_is_not_shown_even_if_the_driver_shows_it(cli, unreachable):
    outputs = [cli.run("info", unreachable, *options).output for options in ([], ["--json"])]

    assert all("user:***@host" in output and "s3cret" not in output for output in outputs)


def test_info_explains_the_options_of_the_plugin(cli, unreachable):
    assert "?size=" in cli.run("info", unreachable).output


def test_an_error_in_the_url_is_one_line_without_a_traceback(cli):
    result = cli.run("info", "redis://user:s3cret@host:port/")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert "s3cret" not in result.stderr


def test_a_scheme_that_nobody_serves_says_what_to_use(cli):
    result = cli.run("info", "redis+sentinel://user:s3cret@host/")

    assert (result.exit_code, "URL of the primary" in result.stderr, "s3cret" in result.stderr) == (1, True, False)

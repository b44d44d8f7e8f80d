from __future__ import annotations

import pytest

from huey_core.plugins.backends import backend_registry
from plain_backend import PlainBackend


class Database(PlainBackend):
    """A server on which something must be made, and which may refuse that."""

    schemes = ("database",)

    def set_up(self):
        if self.url.database == "refused":
            raise PermissionError(f"may not make indexes of {self.url.render(hide_password=False)}")
        return [f"index: {self.url.database}.by_rank", "rights: \x1b[31mread"]


@pytest.fixture(autouse=True)
def database():
    backend_registry.register("database", Database)
    yield
    backend_registry.unregister("database")


def test_what_is_there_is_shown_a_line_each(cli):
    result = cli.run("setup", "database://host/mail")

    assert (result.exit_code, result.output) == (0, "index: mail.by_rank\nrights: \\x1b[31mread\n")


def test_where_nothing_has_to_be_made_that_is_said(cli, plain_backend):
    result = cli.run("setup", "plain://user:s3cret@host/")

    assert (result.exit_code, result.output) == (
        0,
        "plain://user:***@host/: the server answers, and there is nothing to set up\n",
    )


def test_a_server_that_refuses_is_exit_code_1_and_one_line_without_the_password(cli):
    result = cli.run("setup", "database://user:s3cret@host/refused")

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert "PermissionError: may not make indexes of database://user:***@host/refused" in result.stderr


def test_a_server_that_does_not_answer_is_exit_code_1_also_where_nothing_has_to_be_made(
    cli, plain_backend, monkeypatch
):
    def away(backend):
        raise OSError("no route to host")

    monkeypatch.setattr(PlainBackend, "ping", away)

    result = cli.run("setup", "plain://host/")

    assert (result.exit_code, "OSError: no route to host" in result.stderr) == (1, True)


def test_the_url_may_come_from_the_environment(cli, monkeypatch):
    monkeypatch.setenv("HUEY_URL", "database://host/shop")

    assert "index: shop.by_rank" in cli.run("setup").output


def test_without_a_url_the_command_line_is_wrong(cli):
    result = cli.run("setup")

    assert (result.exit_code, "HUEY_URL" in result.stderr) == (2, True)


def test_a_scheme_that_nobody_serves_says_what_to_install(cli):
    result = cli.run("setup", "carrier-pigeon://host/")

    assert (result.exit_code, "carrier-pigeon" in result.stderr) == (1, True)


def test_the_help_says_what_it_makes_and_that_it_may_run_again(cli):
    shown = cli.run("setup", "--help").output

    assert "What is there already is" in shown
    assert "Exit code:" in shown

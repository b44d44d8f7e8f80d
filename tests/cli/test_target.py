from __future__ import annotations

import pytest


def test_a_missing_url_is_explained(cli):
    result = cli.run("dead", "list")

    assert (result.exit_code, "or set HUEY_URL" in result.stderr) == (2, True)


@pytest.mark.parametrize(("words", "capability"), [(["dead", "list"], "inspect"), (["pause"], "pause")])
def test_a_plain_queue_is_refused_with_the_plugin_and_the_capability(cli, plain_backend, words, capability):
    result = cli.run(*words, "plain://")

    assert result.exit_code == 1
    assert f"PlainBackend) does not declare {capability!r}" in result.stderr


@pytest.mark.parametrize("words", [["dead", "delete", "--all", "--yes"], ["pause"], ["info"]])
def test_a_name_that_no_queue_has_is_refused_and_never_stands_for_the_urls(cli, words):
    result = cli.run(*words, cli.url, "--queue", "")

    assert (result.exit_code, "--queue must not be empty" in result.stderr) == (2, True)

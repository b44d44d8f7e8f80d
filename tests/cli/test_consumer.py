"""Options of the consumer that cannot be used are a wrong command line; what it does is tested with the consumer."""

from __future__ import annotations

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

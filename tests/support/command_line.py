"""Running the command line in this process."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from huey_core.cli.group import huey

__all__ = ["CommandLine", "bare_environment", "command_line"]


class CommandLine:
    """The command line."""

    def run(self, *words: str, stdin: str | None = None) -> Result:
        """Run ``huey`` with these words, and raise what it raises."""
        result = CliRunner().invoke(huey, words, input=stdin, prog_name="huey")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the environment tells the command line anything."""
    for variable in ("HUEY_URL", "HUEY_DISABLE_PLUGINS", "HUEY_PLUGIN_CHOICE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def command_line(bare_environment: None) -> CommandLine:
    return CommandLine()

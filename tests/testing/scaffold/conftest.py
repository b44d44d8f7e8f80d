"""Running the command line in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from huey_core.cli.group import huey

if TYPE_CHECKING:
    from click.testing import Result


class Cli:
    """The command line."""

    def run(self, *words: str) -> Result:
        result = CliRunner().invoke(huey, words, prog_name="huey")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    for variable in ("HUEY_URL", "HUEY_DISABLE_PLUGINS", "HUEY_PLUGIN_CHOICE"):
        monkeypatch.delenv(variable, raising=False)
    return Cli()

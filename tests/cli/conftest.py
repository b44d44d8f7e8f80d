"""Running the command line in this process, on queues in its memory."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from huey_core.backends.leased import Bury, Message
from huey_core.cli.group import huey
from huey_core.plugins.backends import backend_registry, open_backend
from plain_backend import PlainBackend
from wire import pack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

    from huey_core.backends.leased import LeasedQueue

_numbers = itertools.count()


class Cli:
    """The command line, with a queue of its own for each test.

    Attributes:
        url: The URL of the queue.
        queue: The queue.
    """

    def __init__(self) -> None:
        self.url = f"memory://?queue=cli-{next(_numbers)}"
        self.backend = open_backend(self.url)
        self.queue: LeasedQueue = self.backend.queue(self.backend.url.options["queue"])

    def run(self, *words: str, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(huey, words, input=stdin, prog_name="huey")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def write(self, message_id: str, data: bytes | None = None) -> None:
        header = {"id": message_id, "cmd": "mail.send", "ser": "json", "at": 1_700_000_000.0, "prio": 3}
        self.queue.write_many([Message(pack(header, b"[[1],{}]") if data is None else data, message_id)])

    def bury(self, message_id: str, data: bytes | None = None, reason: str = "no such command") -> None:
        self.write(message_id, data)
        (delivery,) = self.queue.claim(1, 60).deliveries
        assert self.queue.settle([Bury(delivery, reason, "Traceback:\n  line 1\n")]) == [True]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    for variable in ("HUEY_URL", "HUEY_DISABLE_PLUGINS", "HUEY_PLUGIN_CHOICE"):
        monkeypatch.delenv(variable, raising=False)
    return Cli()


@pytest.fixture
def plain_backend() -> Iterator[None]:
    """A backend without capabilities, of the scheme ``plain``."""
    backend_registry.register("plain", PlainBackend)
    yield
    backend_registry.unregister("plain")

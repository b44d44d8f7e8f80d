"""Running the command line in this process, on queues in its memory."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from command_line import CommandLine
from huey_core.backends.messages import Message
from huey_core.backends.outcomes import Bury
from huey_core.plugins import discovery
from huey_core.plugins.backends import backend_registry, open_backend
from plain_backend import PlainBackend
from wire import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributions import Site
    from huey_core.backends.leased import LeasedQueue

_numbers = itertools.count()


class Cli(CommandLine):
    """The command line, with a queue of its own for each test.

    Attributes:
        url: The URL of the queue.
        queue: The queue.
    """

    def __init__(self) -> None:
        self.url = f"memory://?queue=cli-{next(_numbers)}"
        self.backend = open_backend(self.url)
        self.queue: LeasedQueue = self.backend.queue(self.backend.url.options["queue"])

    def write(self, message_id: str, data: bytes | None = None) -> None:
        header = {"id": message_id, "cmd": "mail.send", "ser": "json", "at": 1_700_000_000.0, "prio": 3}
        self.queue.write_many([Message(pack(header, b"[[1],{}]") if data is None else data, message_id)])

    def bury(self, message_id: str, data: bytes | None = None, reason: str = "no such command") -> None:
        self.write(message_id, data)
        (delivery,) = self.queue.claim(1, 60).deliveries
        assert self.queue.settle([Bury(delivery, reason, "Traceback:\n  line 1\n")]) == [True]


@pytest.fixture
def cli(bare_environment: None) -> Cli:
    return Cli()


@pytest.fixture
def install(site: Site) -> Callable[..., None]:
    """Install a distribution with one plugin, called extra, for the time of the test."""

    def install(source: str, group: str = discovery.PLUGINS, distribution: str = "huey-extra") -> None:
        module = f"{distribution.replace('-', '_')}_of_this_test"
        # A version of its own, because what failed to load once is remembered for its distribution and version.
        site.install(distribution, {group: {"extra": module}}, {module: source}, version=f"1.{next(_numbers)}")
        discovery.scan.cache_clear()

    return install


@pytest.fixture
def plain_backend() -> Iterator[None]:
    """A backend without capabilities, of the scheme ``plain``."""
    backend_registry.register("plain", PlainBackend)
    yield
    backend_registry.unregister("plain")


@pytest.fixture
def diagnose(cli):
    """Runs the doctor and returns its findings by check, after a look at the exit code."""

    def diagnose(*words: str) -> dict[str, dict[str, Any]]:
        result = cli.run("doctor", *words, "--json")
        shown = json.loads(result.output)
        findings = {finding["check"]: finding for finding in shown["checks"]}
        assert len(findings) == len(shown["checks"])
        healthy = all(finding["level"] != "fail" for finding in findings.values())
        assert (shown["healthy"], result.exit_code) == (healthy, 0 if healthy else 1)
        assert all(finding["advice"] for finding in findings.values() if finding["level"] != "ok")
        return findings

    return diagnose

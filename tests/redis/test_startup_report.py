"""What a consumer says about its server when it starts."""

from __future__ import annotations

import logging
import re

import pytest

from huey_core import CommandRegistry, Invoker, crontab, periodic_command, queue_command
from huey_core.consumer import Consumer


@pytest.fixture
def report(new_server, caplog):
    """The lines that a consumer logs when it starts on a server that evicts, and asks for a password."""
    server = new_server(config={"maxmemory-policy": "allkeys-lru", "requirepass": "open-sesame"})
    url = f"redis://:open-sesame@127.0.0.1:{server.port}/0?queue=beans"
    invoker = Invoker.from_url(url, registry=CommandRegistry())
    queue_command(invoker, name="beans.count")(lambda: None)
    periodic_command(invoker, crontab(), name="beans.sweep")(lambda: None)
    caplog.set_level(logging.INFO, "huey_core.consumer")
    with Consumer(invoker).running():
        pass
    invoker.close()
    return caplog.text


def test_it_names_the_commands_the_plugins_and_what_the_queue_can_do(report):
    assert "commands (2): beans.count, beans.sweep" in report
    assert "periodic commands (1): beans.sweep" in report
    assert re.search(r"plugins: .*huey_core\.expiry, .*huey_core\.startup_report", report)
    assert "leases" in report


def test_it_names_the_server_and_masks_the_password(report):
    assert "backend: redis://:***@127.0.0.1" in report
    assert "open-sesame" not in report


def test_it_warns_of_a_server_that_may_evict_messages(report):
    [line] = [line for line in report.splitlines() if "noeviction" in line]
    assert line.startswith("WARNING")

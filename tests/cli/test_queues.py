"""``huey queues``: the queues of a server, in a table and as JSON."""

from __future__ import annotations

import itertools
import json
import time

import pytest

from huey_core.backends.messages import Message
from huey_core.plugins.backends import open_backend
from wire import pack

_spaces = itertools.count()


@pytest.fixture
def server():
    """A server of which nobody else uses a queue."""
    return open_backend(f"memory://queues-{next(_spaces)}/")


def message(name, age=0.0, priority=0, **header):
    """A message that was enqueued so many seconds ago."""
    fields = {"id": name, "cmd": "mail.send", "ser": "json", "at": time.time() - age, **header}
    return Message(pack(fields, b"[[],{}]"), name, priority)


def rows(cli, server):
    return json.loads(cli.run("queues", str(server.url), "--json").output)


def oldest(cli, server):
    [row] = rows(cli, server)
    return row["oldest_ready_seconds"]


def test_each_queue_has_its_counts_and_the_age_of_its_oldest_ready_message(cli, server):
    mail, reports = server.queue("mail"), server.queue("reports")
    mail.write_many([message("old", age=3600), message("new")])
    mail.write(b"later", eta=time.time() + 60)
    reports.write_many([message("runs", age=60)])
    reports.claim(1, 60.0)
    reports.pause()

    assert rows(cli, server) == [
        {
            "queue": "mail",
            "ready": 2,
            "scheduled": 1,
            "running": 0,
            "dead": 0,
            "paused": False,
            "oldest_ready_seconds": pytest.approx(3600, abs=60),
        },
        {
            "queue": "reports",
            "ready": 0,
            "scheduled": 0,
            "running": 1,
            "dead": 0,
            "paused": True,
            "oldest_ready_seconds": None,
        },
    ]


def test_a_table_is_for_people(cli, server):
    server.queue("mail").write_many([message("old", age=2 * 86400 + 7200)])
    server.queue("\x1breports").pause()

    headings, first, second = cli.run("queues", str(server.url)).output.splitlines()

    assert headings.split() == ["QUEUE", "READY", "SCHEDULED", "RUNNING", "DEAD", "OLDEST"]
    shown = {line.split()[0]: line for line in (first, second)}
    assert shown["mail"].split()[1:5] == ["1", "0", "0", "0"]
    assert "2 days, 2:00:" in shown["mail"]
    assert any(line.endswith("paused") and "\x1b" not in line for line in (first, second))


@pytest.mark.parametrize("count", [1, 20, 21, 300])
def test_the_oldest_may_stand_behind_any_number_of_urgent_ones(cli, server, count):
    queue = server.queue("mail")
    queue.write_many([message("old", age=3600), message("newer", age=60)])
    queue.write_many([message(f"urgent {number}", priority=5) for number in range(count)])
    queue.write_many([message("most urgent", age=5, priority=10)])

    assert oldest(cli, server) == pytest.approx(3600, abs=60)


def test_one_that_was_delayed_waits_since_it_was_due(cli, server):
    server.queue("mail").write_many([message("delayed", age=7200, eta=time.time() - 600)])

    assert oldest(cli, server) == pytest.approx(600, abs=60)


@pytest.mark.parametrize("sent", [message("from the future", age=-3600), Message(b"no message at all")])
def test_a_clock_that_is_wrong_and_a_message_that_says_nothing_do_no_harm(cli, server, sent):
    server.queue("mail").write_many([sent])

    assert oldest(cli, server) in {None, 0.0}


def test_a_server_without_queues(cli, server):
    assert cli.run("queues", str(server.url)).output == "no queue has a message\n"
    assert rows(cli, server) == []


def test_a_backend_that_cannot_list_them_says_so(cli, plain_backend):
    result = cli.run("queues", "plain://host/")

    assert result.exit_code == 1
    assert "does not declare 'list_queues', which this command needs" in result.stderr

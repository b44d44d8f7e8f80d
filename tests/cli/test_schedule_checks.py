"""What ``huey doctor`` says of the schedules that were made at run time."""

from __future__ import annotations

import pytest

from huey_core import CommandRegistry, Invoker, crontab, queue_command
from huey_core.cli.diagnosis import Level
from huey_core.cli.schedule_checks import check_schedules
from huey_core.features.heartbeat import ConsumerRecord

NIGHTLY = crontab(hour=3, minute=0)


@pytest.fixture
def report(invoker):
    return queue_command(invoker, name="report")(lambda kind: kind)


def check(invoker, *alive):
    return check_schedules(invoker.task_store, invoker.queue.name, alive)


def consumer(*commands, periodic=True):
    return ConsumerRecord(name="web1", commands=commands, periodic=periodic)


def test_what_a_consumer_runs_is_fine(invoker, report):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)
    invoker.schedules.add("weekly", report.command("pdf"), NIGHTLY, paused=True)

    found = check(invoker, consumer("other"), consumer("report"))

    assert (found.level, found.sentence) == (Level.OK, "2 made at run time, 1 paused")


def test_without_schedules_there_is_nothing_to_say(invoker):
    assert check(invoker, consumer("report")).sentence == "none kept"


@pytest.mark.parametrize("alive", [consumer("other"), consumer("report", periodic=False)], ids=["unknown", "off"])
def test_a_schedule_that_no_consumer_runs_is_a_warning(invoker, report, alive):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)

    found = check(invoker, alive)

    assert (found.level, found.facts["unknown"]) == (Level.WARN, {"nightly": "report"})
    assert "nightly (report)" in found.sentence


def test_a_paused_schedule_needs_no_consumer(invoker, report):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY, paused=True)

    assert check(invoker, consumer("other")).level is Level.OK


def test_what_a_later_version_wrote_is_a_warning(invoker):
    invoker.task_store.put(invoker.schedules.record.key, b'{"kept": {"lunar": {}}}')

    found = check(invoker, consumer("report"))

    assert (found.level, found.sentence) == (Level.WARN, "lunar cannot be read by this version")


def test_the_doctor_looks_at_schedules_where_consumers_are_alive(cli, diagnose, run_consumer, eventually):
    invoker = Invoker.from_url(cli.url, registry=CommandRegistry())
    report = queue_command(invoker, name="report")(lambda: None)
    invoker.schedules.add("nightly", report, NIGHTLY)
    run_consumer(invoker, periodic=True)

    eventually(lambda: "schedules" in diagnose(cli.url))

    assert diagnose(cli.url)["schedules"]["sentence"] == "1 made at run time, 0 paused"

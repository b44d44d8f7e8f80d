"""Schedules that are made, changed, paused and removed at run time."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta

import pytest

from huey_core import CommandRegistry, Invoker, QueueCommand, crontab, periodic_command, queue_command
from huey_core.backends.messages import State
from huey_core.exceptions import (
    CommandNotFound,
    ConfigurationError,
    DataStoreGetException,
    DecodeError,
    EncodeError,
    ScheduleNotFound,
    SignatureError,
    Unsupported,
)
from huey_core.invoker.schedules.info import ScheduleState
from huey_core.invoker.schedules.kept import MAX_NAME, MAX_SIZE, MOST_SCHEDULES
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue
from plain_backend import PlainQueue, PlainStore

MIDNIGHT = datetime(2026, 5, 1, tzinfo=UTC).timestamp()
NIGHTLY = crontab(hour=3, minute=0)

_spaces = itertools.count(1)


@pytest.fixture
def clock():
    return ManualClock(MIDNIGHT)


@pytest.fixture
def make_invoker(clock):
    """Make invokers of one queue, on the test's clock."""
    place = {"space": f"schedules{next(_spaces)}", "clock": clock}

    def make(results=True, **settings):
        queue, tasks = MemoryQueue("q", **place), MemoryDataStore("tasks", **place)
        stored = MemoryDataStore("q", **place) if results else None
        return Invoker(queue, stored, tasks, registry=CommandRegistry(), **{"clock": clock, **settings})

    return make


@pytest.fixture
def invoker(make_invoker):
    return make_invoker()


@pytest.fixture
def report(invoker):
    @queue_command(invoker, name="report")
    def report(kind, pages=1):
        return f"{pages} pages of {kind}"

    return report


@pytest.fixture
def clean_up(invoker):
    @periodic_command(invoker, crontab(minute="*/5"), name="clean_up")
    def clean_up():
        return "clean"

    return clean_up


def names(invoker):
    return [info.name for info in invoker.schedules.list()]


def kept_command(invoker, name):
    """The command that a run of a schedule would be."""
    return invoker.schedules.record.read().kept[name].make_command(invoker.codec, invoker.command_options)


def store(invoker, value):
    """Put a value in the place of the record."""
    invoker.task_store.put(invoker.schedules.record.key, value)


def test_a_schedule_that_was_added_is_listed_with_its_next_run(invoker, report):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY, missed="once")

    [info] = invoker.schedules.list()
    assert (info.name, info.command_name, info.state) == ("nightly", "report", ScheduleState.ACTIVE)
    assert (info.schedule, info.missed, info.is_declared) == (NIGHTLY, "once", False)
    assert (info.next_run, info.last_run) == (MIDNIGHT + 3 * 3600, None)


def test_every_process_finds_what_one_has_added(make_invoker, invoker, report):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)

    assert names(make_invoker()) == ["nightly"]


def test_times_are_those_of_the_queue_whatever_a_producer_takes_for_the_time(make_invoker, invoker, report):
    late = make_invoker(clock=lambda: MIDNIGHT + 7 * 86400)
    late.schedules.add("nightly", report.command("pdf"), NIGHTLY)

    assert late.schedules.get("nightly").next_run == MIDNIGHT + 3 * 3600
    assert late.schedules.record.read().kept["nightly"].since == MIDNIGHT


def test_a_run_has_the_arguments_and_the_options_of_the_command(invoker, report):
    invoker.schedules.add("nightly", report.using(priority=3, retries=2).command("pdf", pages=9), NIGHTLY)

    command = kept_command(invoker, "nightly")
    assert command.data == (["pdf"], {"pages": 9})
    assert (command.options.priority, command.retries) == (3, 2)


def test_each_run_is_a_call_of_its_own_that_has_not_expired(invoker, report, clock):
    invoker.schedules.add("nightly", report.using(expires=60).command("pdf"), NIGHTLY)
    clock.advance(86400)

    one, other = kept_command(invoker, "nightly"), kept_command(invoker, "nightly")
    invoker.enqueue(one)

    assert one.task_id != other.task_id
    assert one.expires_at == MIDNIGHT + 86400 + 60


def test_a_decorated_function_stands_for_its_call_without_arguments(invoker, clean_up):
    invoker.schedules.add("weekly", clean_up, crontab(day_of_week=0, hour=0, minute=0))

    assert kept_command(invoker, "weekly").command_name == "clean_up"


def test_a_command_that_is_a_class_may_have_a_schedule(invoker):
    class Send(QueueCommand, declare=False):
        command_name = "send"

    invoker.registry.register(Send)

    invoker.schedules.add("nightly", Send({"to": "ada"}), NIGHTLY)

    assert kept_command(invoker, "nightly").data == {"to": "ada"}


def test_a_command_is_the_same_after_it_was_given_to_a_schedule(invoker, report):
    command = report.command("pdf")
    before = dict(vars(command))

    invoker.schedules.add("nightly", command, NIGHTLY)

    assert vars(command) == {**before, "checked_data": command.data}


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda report: report, TypeError, "missing 1 required positional argument"),
        (lambda report: report.command(), TypeError, "missing 1 required positional argument"),
        (lambda report: "report", TypeError, "a str cannot be enqueued"),
        (lambda report: report.command(object()), EncodeError, r"args\[0\] of report"),
        (lambda report: report.command_class((("pdf",), {}), eta=1.0), ConfigurationError, "has a time of its own"),
        (
            lambda report: report.using(unique_key=str).command("pdf"),
            ConfigurationError,
            "unique_key=.* of report cannot be kept",
        ),
        (lambda report: report.using(queue="mail").command("pdf"), ConfigurationError, r"on_queue\('mail'\).schedules"),
    ],
)
def test_what_is_no_command_of_the_queue_is_refused(invoker, report, make, error, words):
    with pytest.raises(error, match=words):
        invoker.schedules.add("nightly", make(report), NIGHTLY)

    assert names(invoker) == []


@pytest.mark.parametrize("name", ["", " nightly", "nightly ", "a\nb", "x" * (MAX_NAME + 1), "\ud800", None, 7])
def test_what_nobody_could_type_or_read_is_no_name(invoker, report, name):
    with pytest.raises(ConfigurationError, match="schedule"):
        invoker.schedules.add(name, report.command("pdf"), NIGHTLY)


def test_a_schedule_of_ones_own_is_refused_with_the_reason(invoker, report):
    class Own:
        def next_after(self, utc):
            return utc + timedelta(hours=1)

    with pytest.raises(ConfigurationError, match="other processes read it, and do not have your code"):
        invoker.schedules.add("hourly", report.command("pdf"), Own())


@pytest.mark.parametrize("option", ["missed", "overlap"])
def test_what_becomes_of_ticks_is_checked(invoker, report, option):
    with pytest.raises(ConfigurationError, match=f"{option} must be '.*' or '.*', not 'twice'"):
        invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY, **{option: "twice"})


def test_one_run_at_a_time_is_refused_where_the_queue_cannot_keep_it():
    invoker = Invoker(PlainQueue("q"), task_store=MemoryDataStore("tasks"), registry=CommandRegistry())

    @queue_command(invoker)
    def report(): ...

    with pytest.raises(Unsupported, match="overlap='skip' needs"):
        invoker.schedules.add("nightly", report, NIGHTLY, overlap="skip")


def test_a_name_is_taken_once_unless_it_is_to_be_replaced(invoker, report):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)

    with pytest.raises(ConfigurationError, match="already"):
        invoker.schedules.add("nightly", report.command("html"), NIGHTLY)
    assert kept_command(invoker, "nightly").data == (["pdf"], {})

    invoker.schedules.add("nightly", report.command("html"), NIGHTLY, replace=True)
    assert kept_command(invoker, "nightly").data == (["html"], {})


def test_the_name_of_a_declared_one_is_taken(invoker, report, clean_up):
    with pytest.raises(ConfigurationError, match="periodic command"):
        invoker.schedules.add("clean_up", report.command("pdf"), NIGHTLY)


def test_what_is_not_given_to_a_change_stays(invoker, report):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY, missed="all")

    invoker.schedules.change("nightly", schedule=crontab(hour=4, minute=0))
    assert invoker.schedules.get("nightly").next_run == MIDNIGHT + 4 * 3600
    assert invoker.schedules.get("nightly").missed == "all"

    invoker.schedules.change("nightly", command=report.command("html"), missed="once", overlap="skip")
    assert kept_command(invoker, "nightly").data == (["html"], {})
    assert invoker.schedules.get("nightly").schedule == crontab(hour=4, minute=0)
    assert (invoker.schedules.get("nightly").missed, invoker.schedules.get("nightly").overlap) == ("once", "skip")


def test_a_paused_schedule_has_no_next_run_until_it_is_resumed(invoker, report):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)

    invoker.schedules.pause("nightly")
    info = invoker.schedules.get("nightly")
    assert (info.state, info.next_run) == (ScheduleState.PAUSED, None)

    invoker.schedules.resume("nightly")
    info = invoker.schedules.get("nightly")
    assert (info.state, info.next_run) == (ScheduleState.ACTIVE, MIDNIGHT + 3 * 3600)


def test_to_resume_what_is_not_paused_does_not_count_as_a_pause(invoker, report, clock):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)
    clock.advance(3600)

    invoker.schedules.resume("nightly")

    assert invoker.schedules.record.read().kept["nightly"].since == MIDNIGHT


def test_a_removed_schedule_is_gone(invoker, report):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)

    invoker.schedules.remove("nightly")

    assert names(invoker) == []


def test_declared_commands_are_listed_too(invoker, report, clean_up):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)

    declared, kept = invoker.schedules.list()
    assert (declared.name, declared.is_declared, declared.next_run) == ("clean_up", True, MIDNIGHT + 300)
    assert (kept.name, kept.is_declared) == ("nightly", False)


def test_a_declared_one_is_paused_for_all_processes(make_invoker, invoker, clean_up):
    invoker.schedules.pause("clean_up")

    assert invoker.schedules.get("clean_up").state is ScheduleState.PAUSED
    elsewhere = make_invoker().schedules
    assert [(info.name, info.state) for info in elsewhere.list()] == [("clean_up", ScheduleState.PAUSED)]

    elsewhere.resume("clean_up")
    assert invoker.schedules.get("clean_up").state is ScheduleState.ACTIVE


@pytest.mark.parametrize("action", ["change", "remove"])
def test_a_declared_one_is_neither_changed_nor_removed(invoker, clean_up, action):
    with pytest.raises(ConfigurationError, match="declared in code"):
        getattr(invoker.schedules, action)("clean_up")


@pytest.mark.parametrize("action", ["change", "pause", "resume", "remove", "run", "get"])
def test_a_name_that_is_not_there_is_told_with_the_closest_one(invoker, report, action):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)

    with pytest.raises(ScheduleNotFound, match="did you mean 'nightly'"):
        getattr(invoker.schedules, action)("nihgtly")


def test_a_run_can_be_had_at_once_and_waited_for(invoker, report, result_of):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY, paused=True)

    assert result_of(invoker.schedules.run("nightly")) == "1 pages of pdf"


def test_a_declared_one_can_be_run_at_once(invoker, clean_up, result_of):
    invoker.schedules.pause("clean_up")

    assert result_of(invoker.schedules.run("clean_up")) == "clean"


def test_a_run_at_once_needs_the_command(make_invoker, invoker, report):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)

    with pytest.raises(CommandNotFound, match="'report'"):
        make_invoker().schedules.run("nightly")


def test_what_is_kept_is_signed_where_messages_are(make_invoker, monkeypatch, result_of):
    def invoker_with(key):
        monkeypatch.setenv("HUEY_SIGNING_KEYS", key * 32)
        invoker = make_invoker(serializer="pickle|signed")
        return invoker, queue_command(invoker, name="report")(lambda kind: kind)

    (invoker, report), (stranger, _) = invoker_with("a"), invoker_with("b")
    invoker.schedules.add("nightly", report.command(("pdf", 1)), NIGHTLY)

    assert result_of(invoker.schedules.run("nightly")) == ("pdf", 1)
    with pytest.raises(SignatureError):
        stranger.schedules.run("nightly")


def test_with_always_eager_a_run_is_run_in_the_caller(make_invoker):
    invoker = make_invoker(always_eager=True, results=False)

    @queue_command(invoker, queue="reports")
    def report(kind):
        return kind

    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)

    assert invoker.schedules.run("nightly") == "pdf"


def test_a_schedule_of_a_revoked_command_is_said_to_be_revoked(invoker, report, clean_up):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)

    report.revoke()

    assert [info.state for info in invoker.schedules.list()] == [ScheduleState.ACTIVE, ScheduleState.REVOKED]


def test_queues_that_share_a_store_have_schedules_of_their_own(report):
    tasks = MemoryDataStore("tasks")
    invoker = Invoker("memory://shared", task_store=tasks, registry=CommandRegistry())

    @queue_command(invoker, queue="mail")
    def send(to): ...

    mail = invoker.on_queue("mail")
    mail.schedules.add("digest", send.command("ada"), NIGHTLY)

    assert (names(mail), names(invoker)) == (["digest"], [])


def test_two_processes_that_change_schedules_at_once_lose_nothing(make_invoker, invoker, report, do_twice_at_once):
    command, numbers = report.command("pdf"), iter(range(2))

    errors = do_twice_at_once(
        lambda: invoker.schedules.add(f"nightly-{next(numbers)}", command, NIGHTLY),
        invoker.task_store,
        "put_if_absent",
    )

    assert errors == []
    assert names(invoker) == ["nightly-0", "nightly-1"]


def test_of_two_that_add_one_name_at_once_one_is_told(invoker, report, do_twice_at_once):
    command = report.command("pdf")

    errors = do_twice_at_once(
        lambda: invoker.schedules.add("nightly", command, NIGHTLY), invoker.task_store, "put_if_absent"
    )

    assert [type(error) for error in errors] == [ConfigurationError]


def test_more_schedules_than_are_kept_are_refused(invoker, report):
    entry = invoker.schedules.record
    invoker.schedules.add("first", report.command("pdf"), NIGHTLY)
    content = entry.store.peek(entry.key).decode()
    first = content[content.index('{"schedule"') : -2]
    others = ", ".join(f'"{number}": {{}}' for number in range(MOST_SCHEDULES - 1))
    store(invoker, f'{{"kept": {{"first": {first}, {others}}}}}'.encode())

    with pytest.raises(ConfigurationError, match=f"{MOST_SCHEDULES:,} schedules at the most"):
        invoker.schedules.add("one more", report.command("pdf"), NIGHTLY)
    invoker.schedules.remove("1")
    invoker.schedules.add("one more", report.command("pdf"), NIGHTLY)


def test_larger_schedules_than_are_kept_are_refused(invoker, report):
    with pytest.raises(ConfigurationError, match=f"may take {MAX_SIZE:,}"):
        invoker.schedules.add("nightly", report.command("x" * MAX_SIZE), NIGHTLY)


def test_no_bound_keeps_schedules_from_being_paused_and_removed(invoker, report, clean_up):
    large = "x" * (MAX_SIZE + 1)
    store(invoker, f'{{"kept": {{"one": {{"message": "{large}"}}, "other": {{"message": "{large}"}}}}}}'.encode())

    invoker.schedules.pause("one")
    invoker.schedules.pause("clean_up")
    invoker.schedules.remove("other")

    assert json.loads(invoker.task_store.peek(invoker.schedules.record.key))["kept"]["one"]["paused"] is True
    assert invoker.schedules.get("clean_up").state is ScheduleState.PAUSED


def test_what_a_later_version_wrote_is_listed_and_kept(invoker, report):
    written = b'{"kept": {"lunar": {"schedule": {"moon": "full"}, "message": "", "since": 1.0}}, "more": 1}'
    store(invoker, written)

    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)
    assert [(info.name, info.state) for info in invoker.schedules.list()] == [
        ("lunar", ScheduleState.UNREADABLE),
        ("nightly", ScheduleState.ACTIVE),
    ]

    invoker.schedules.remove("nightly")
    assert invoker.task_store.peek(invoker.schedules.record.key) == written


@pytest.mark.parametrize("since", ["1" + "0" * 400, "Infinity", "NaN", "true", "-1", '"now"'])
@pytest.mark.usefixtures("clean_up")
def test_a_time_that_is_none_concerns_that_schedule_alone(invoker, report, since):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)
    content = json.loads(invoker.task_store.peek(invoker.schedules.record.key))
    kept = {**content["kept"], "odd": {**content["kept"]["nightly"], "since": json.loads(since)}}
    declared = {"clean_up": {"is_paused": True, "since": json.loads(since)}}
    store(invoker, json.dumps({"kept": kept, "declared": declared}).encode())

    assert {info.name: info.state for info in invoker.schedules.list()} == {
        "clean_up": ScheduleState.ACTIVE,
        "nightly": ScheduleState.ACTIVE,
        "odd": ScheduleState.UNREADABLE,
    }


def test_what_cannot_be_read_is_neither_run_nor_paused_in_silence(invoker):
    store(invoker, b'{"kept": {"odd": [1], "lunar": {"schedule": {"moon": "full"}, "message": "", "since": 1.0}}}')

    with pytest.raises(DecodeError, match="'lunar' cannot be read here: no schedule that is known here"):
        invoker.schedules.run("lunar")
    with pytest.raises(ConfigurationError, match="'odd' cannot be read: remove"):
        invoker.schedules.pause("odd")
    invoker.schedules.remove("odd")
    assert names(invoker) == ["lunar"]


def test_an_entry_that_is_nothing_is_no_schedule(invoker, report):
    store(invoker, b'{"kept": {"nightly": null}}')

    assert names(invoker) == []
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)
    assert names(invoker) == ["nightly"]


def test_what_is_no_record_is_never_overwritten(invoker, report):
    store(invoker, b"garbage")

    with pytest.raises(DataStoreGetException):
        invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)
    assert invoker.task_store.peek(invoker.schedules.record.key) == b"garbage"


@pytest.mark.parametrize(
    ("task_store", "words"), [(None, "need a task store"), (PlainStore(), "has no 'locks'")], ids=["none", "plain"]
)
def test_without_a_store_that_can_keep_them_schedules_are_unsupported(task_store, words):
    invoker = Invoker(PlainQueue("q"), task_store=task_store, registry=CommandRegistry())

    with pytest.raises(Unsupported, match=words):
        invoker.schedules.list()


def test_what_is_enqueued_by_hand_is_no_tick(invoker, report):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)

    invoker.schedules.run("nightly")

    [message] = invoker.queue.peek(State.READY)
    assert invoker.codec.decode(message.data).tick_at is None


def test_an_invoker_that_works_elsewhere_for_a_while_has_the_schedules_of_there(invoker, report, clock):
    invoker.schedules.add("nightly", report.command("pdf"), NIGHTLY)
    place = {"space": "elsewhere", "clock": clock}

    with invoker.replaced(MemoryQueue("q", **place), None, MemoryDataStore("tasks", **place), clock=clock):
        assert names(invoker) == []

    assert names(invoker) == ["nightly"]

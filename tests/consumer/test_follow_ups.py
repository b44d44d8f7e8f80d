"""Commands that follow a command: written with its end, or not at all."""

from __future__ import annotations

import pytest

from huey_core import CommandRegistry, Invoker, current_command, hookimpl, queue_command
from huey_core.backends import Capability, State
from huey_core.commands import Join, QueueCommand
from huey_core.exceptions import (
    CommandAbandoned,
    CommandError,
    CommandExpired,
    CommandNotFound,
    CommandRejected,
    ConfigurationError,
    NoCurrentCommand,
    Unsupported,
)
from huey_memory import MemoryQueue
from plain_backend import PlainQueue, PlainStore

PATIENCE = 30.0


class Follows:
    """Lets a command follow each end of a command that it is asked about, and notes how that ended."""

    def __init__(self, error=None):
        self.error = error
        self.ends = []
        self.follow_up = None

    @hookimpl
    def huey_follow_ups(self, command, execution, message_id, headers):
        name = None if command is None else command.command_name
        if name == "note":
            return []
        self.ends.append((name, execution.error if execution.error is None else type(execution.error), message_id))
        if self.error is not None:
            raise self.error
        return [] if self.follow_up is None else [self.follow_up(message_id, headers.get("flow", ""))]


@pytest.fixture
def follows():
    return Follows()


@pytest.fixture
def noted():
    """What the command ``note`` was called with."""
    return []


@pytest.fixture
def set_up(follows, noted):
    """Let the command ``note`` of an invoker follow every other command."""

    def set_up(invoker):
        @queue_command(invoker, name="note")
        def note(message_id, text):
            noted.append((message_id, text))

        follows.follow_up = note.command
        return invoker

    return set_up


@pytest.fixture
def invoker(make_invoker, set_up, follows):
    return set_up(make_invoker(plugins=[follows]))


def test_what_follows_a_success_is_run(invoker, run_consumer, eventually, follows, noted):
    handle = queue_command(invoker, name="double")(lambda number: 2 * number)(21)

    run_consumer(invoker)

    eventually(lambda: noted == [(handle.task_id, "")])
    assert follows.ends == [("double", None, handle.task_id)]


def fail():
    raise OSError("no such file")


@pytest.mark.parametrize("keep_failed", [True, False])
def test_what_follows_a_failure_is_run_after_the_last_retry(
    invoker, run_consumer, eventually, follows, noted, keep_failed
):
    handle = queue_command(invoker, name="fail", retries=2, keep_failed=keep_failed)(fail)()

    run_consumer(invoker)

    eventually(lambda: noted == [(handle.task_id, "")])
    assert follows.ends == [("fail", OSError, handle.task_id)]


def test_what_follows_a_command_that_is_dropped_is_run(invoker, run_consumer, eventually, follows, noted):
    handle = queue_command(invoker, name="late", expires=0)(fail)()

    run_consumer(invoker)

    eventually(lambda: noted == [(handle.task_id, "")])
    assert follows.ends == [("late", CommandExpired, handle.task_id)]


def test_what_follows_a_message_that_cannot_be_read_is_run_and_its_headers_are_known(
    invoker, make_invoker, run_consumer, eventually, follows, noted
):
    writing = make_invoker(registry=CommandRegistry())
    command = queue_command(writing, name="unknown to consumers")(fail).command()
    command.headers["flow"] = "spring"
    invoker.queue.max_deliveries = 1
    writing.enqueue(command)

    run_consumer(invoker)

    eventually(lambda: noted == [(command.task_id, "spring")])
    assert follows.ends == [(None, CommandNotFound, command.task_id)]
    assert invoker.queue.counts().dead == 1


def test_what_follows_a_command_that_kills_its_consumers_is_run_and_its_headers_are_known(
    invoker, run_consumer, eventually, follows, noted
):
    command = queue_command(invoker, name="kill")(fail).command()
    command.headers["flow"] = "spring"
    invoker.enqueue(command)
    invoker.queue.max_deliveries = 1
    eventually(lambda: invoker.queue.claim(1, lease=0.001).deliveries)

    run_consumer(invoker)

    eventually(lambda: noted == [(command.task_id, "spring")])
    assert follows.ends == [(None, CommandAbandoned, command.task_id)]


def test_plugins_see_what_follows_before_it_is_written(make_invoker, run_consumer, eventually, set_up, follows, noted):
    class Sees:
        @hookimpl
        def huey_before_enqueue(self, command):
            seen.append(command.command_name)

    seen = []
    invoker = set_up(make_invoker(plugins=[follows, Sees()]))
    queue_command(invoker, name="double")(lambda number: 2 * number)(21)

    run_consumer(invoker)

    eventually(lambda: len(noted) == 1)
    assert seen == ["double", "note"]


@pytest.mark.parametrize(
    ("answer", "reason"), [("note", "which is no list"), (["note"], "which is no list"), (None, "")]
)
def test_an_answer_of_another_kind_fails_the_command_and_none_is_nothing(make_invoker, result_of, answer, reason):
    class Answers:
        @hookimpl
        def huey_follow_ups(self):
            return answer

    handle = queue_command(make_invoker(plugins=[Answers()]), name="double")(lambda number: 2 * number)(21)

    if reason:
        with pytest.raises(CommandError, match=reason):
            result_of(handle)
    else:
        assert result_of(handle) == 42


def test_an_error_after_a_success_is_the_commands_failure(invoker, result_of, follows):
    follows.error = ValueError("I do not know")

    with pytest.raises(CommandError, match="I do not know"):
        result_of(queue_command(invoker, name="double")(lambda number: 2 * number)(21))


def test_an_error_after_a_failure_is_logged_and_nothing_follows(invoker, result_of, follows, noted, caplog):
    follows.error = ValueError("I do not know")

    with pytest.raises(CommandError, match="no such file"):
        result_of(queue_command(invoker, name="fail")(fail)())

    assert "what follows message" in caplog.text
    assert (invoker.queue.counts().dead, len(invoker.queue), noted) == (1, 0, [])


def test_a_follow_up_that_is_refused_fails_the_command(make_invoker, result_of, set_up, follows):
    class Refuses:
        @hookimpl
        def huey_before_enqueue(self, command):
            if command.command_name == "note":
                raise CommandRejected("not today")

    invoker = set_up(make_invoker(plugins=[follows, Refuses()]))

    with pytest.raises(CommandError, match="not today"):
        result_of(queue_command(invoker, name="double")(lambda number: 2 * number)(21))


class SmallQueue(MemoryQueue):
    max_message_size = 1000


def test_a_follow_up_that_is_too_large_fails_the_command_at_once_and_leaves_a_dead_letter(
    make_invoker, result_of, set_up, follows
):
    invoker = make_invoker(plugins=[follows])
    invoker.queue = SmallQueue("small", space="what is too large")
    note = queue_command(invoker, name="note")(lambda text: None)
    follows.follow_up = lambda *_: note.command("x" * 1000)
    runs = []

    with pytest.raises(CommandError, match="what follows cannot be written: the message is"):
        result_of(queue_command(invoker, name="work", retries=3)(lambda: runs.append(1))())

    [dead] = invoker.queue.peek(State.DEAD)
    assert "what follows cannot be written" in dead.reason
    assert len(runs) == 1


def test_a_command_of_another_queue_cannot_follow(invoker, result_of, follows):
    other = Invoker.from_url("memory://elsewhere/", registry=CommandRegistry())
    follows.follow_up = lambda *_: queue_command(other, name="note")(fail).command()

    with pytest.raises(CommandError, match=r"note cannot follow: it is of the queue"):
        result_of(queue_command(invoker, name="double")(lambda number: 2 * number)(21))


class BesideNothing(MemoryQueue):
    """Cannot write into another queue in one step, as a queue of a cluster."""

    def settles_beside(self, name):
        return name == self.name


class TestInAnotherQueue:
    @pytest.fixture
    def invoker(self, make_invoker):
        return make_invoker()

    @pytest.fixture
    def note(self, invoker, noted):
        return queue_command(invoker, name="note", queue="notes")(lambda *what: noted.append(what))

    def test_what_follows_goes_to_the_queue_of_its_command(self, invoker, run_consumer, eventually, note, noted):
        first = queue_command(invoker, name="first")(lambda: current_command().then(note.command("noted")))
        notes = invoker.on_queue("notes")
        first()
        run_consumer(invoker)
        eventually(lambda: notes.queue.counts().ready == 1)
        assert noted == []

        run_consumer(notes)

        eventually(lambda: noted == [("noted",)])

    def test_from_another_queue_it_goes_back_to_that_of_the_invoker(self, invoker, run_consumer, eventually):
        here = queue_command(invoker, name="here")(lambda: None)
        there = queue_command(invoker, name="there", queue="there")(lambda: current_command().then(here.command()))
        there()

        run_consumer(invoker.on_queue("there"))

        eventually(lambda: invoker.queue.counts().ready == 1)

    def test_one_that_names_no_queue_and_no_invoker_stays_in_the_queue(self, invoker, run_consumer, eventually):
        class Next(QueueCommand, declare=False):
            command_name = "next"

        queue_command(invoker, name="there", queue="there")(lambda: current_command().then(Next()))()
        there = invoker.on_queue("there")

        run_consumer(there)

        eventually(lambda: [message.data for message in there.queue.peek(State.SCHEDULED)] != [])
        assert invoker.queue.counts().ready == 0

    def test_what_a_plugin_lets_follow_goes_there_too(
        self, make_invoker, run_consumer, eventually, follows, noted, set_up
    ):
        invoker = set_up(make_invoker(plugins=[follows]))
        to_notes = follows.follow_up
        follows.follow_up = lambda *args: _on_queue(to_notes(*args), "notes")
        handle = queue_command(invoker, name="double")(lambda: None)()

        run_consumer(invoker)
        run_consumer(invoker.on_queue("notes"))

        eventually(lambda: noted == [(handle.task_id, "")])

    def test_where_it_cannot_be_one_step_it_is_refused_at_then(self, result_of):
        invoker = Invoker(BesideNothing("q", space="beside nothing"), PlainStore(), registry=CommandRegistry())
        note = queue_command(invoker, name="note", queue="notes")(lambda: None)

        @queue_command(invoker, name="first")
        def first():
            with pytest.raises(Unsupported, match=r"its queue 'notes' cannot be written in one step"):
                current_command().then(note.command())
            return "refused"

        assert result_of(first()) == "refused"

    def test_a_queue_elsewhere_is_refused_at_then(self, invoker, result_of):
        elsewhere = Invoker.from_url("memory://elsewhere/", registry=CommandRegistry())
        note = queue_command(elsewhere, name="note")(lambda: None)

        @queue_command(invoker, name="first")
        def first():
            with pytest.raises(ConfigurationError, match=r"note cannot follow: .* which is elsewhere"):
                current_command().then(note.command())
            return "refused"

        assert result_of(first()) == "refused"

    def test_on_a_plain_queue_it_is_written_there_too(self, run_consumer, eventually):
        made = {}

        class Beside(PlainQueue):
            def sibling(self, name):
                return made.setdefault(name, PlainQueue(name))

        invoker = Invoker(Beside("q"), task_store=PlainStore("state"), registry=CommandRegistry())
        note = queue_command(invoker, name="note", queue="notes")(lambda: None)
        queue_command(invoker, name="first")(lambda: current_command().then(note.command()))()

        run_consumer(invoker, initial_delay=0.01)

        eventually(lambda: len(made["notes"]) == 1)

    def test_run_at_once_it_is_run_as_any_other(self, make_invoker):
        invoker, noted = make_invoker(always_eager=True), []
        note = queue_command(invoker, name="note", queue="notes")(noted.append)

        queue_command(invoker, name="first")(lambda: current_command().then(note.command("noted")))()

        assert noted == ["noted"]


def _on_queue(command, name):
    command.override({"queue": name})
    return command


class TestThen:
    @pytest.fixture(params=["leased", "plain", "eager"])
    def invoker(self, request, make_invoker):
        if request.param == "plain":
            settings = {"registry": CommandRegistry()}
            return Invoker(PlainQueue(), PlainStore("results"), PlainStore("state"), **settings)
        return make_invoker(always_eager=request.param == "eager")

    @pytest.fixture
    def run(self, invoker, run_consumer):
        """Have consumers run what is in the queue, if it was not run at once."""
        return lambda: None if invoker.always_eager else run_consumer(invoker, threads=1, initial_delay=0.01)

    def test_a_command_may_say_what_follows_it(self, invoker, run, eventually, noted):
        note = queue_command(invoker, name="note")(noted.append)

        @queue_command(invoker)
        def order():
            current_command().then(note.command("invoice"))
            current_command().then(note.command("parcel"))
            noted.append("order")

        order()
        run()

        eventually(lambda: noted == ["order", "invoice", "parcel"])

    def test_a_run_that_fails_drops_what_it_wanted_to_follow(self, invoker, run, eventually, noted):
        note = queue_command(invoker, name="note")(noted.append)

        @queue_command(invoker, retries=1, retry_delay=0)
        def order():
            current_command().then(note.command(f"{current_command().retries_left} left"))
            if current_command().retries_left:
                raise OSError

        order()
        run()

        eventually(lambda: noted == ["0 left"])

    def test_a_command_that_fails_for_good_is_followed_by_nothing(self, invoker, run, eventually, noted):
        note = queue_command(invoker, name="note")(noted.append)

        @queue_command(invoker)
        def order():
            current_command().then(note.command("invoice"))
            raise OSError

        handle = order()
        run()

        with pytest.raises(CommandError):
            handle.get(blocking=True, timeout=PATIENCE)
        assert (noted, len(invoker.queue)) == ([], 0)

    def test_what_is_no_command_is_refused_where_it_is_said(self, invoker, run):
        @queue_command(invoker)
        def order():
            current_command().then("invoice")

        handle = order()
        run()

        with pytest.raises(CommandError, match="a str cannot follow a command"):
            handle.get(blocking=True, timeout=PATIENCE)

    def test_nothing_follows_where_no_command_runs(self):
        with pytest.raises(NoCurrentCommand):
            current_command().then(QueueCommand())


class JoinsAll:
    """Makes every command that has a header ``flow`` a member of the group of that name."""

    def __init__(self):
        self.then = None

    @hookimpl
    def huey_follow_ups(self, message_id, headers):
        if "flow" not in headers:
            return None
        return [Join(group=headers["flow"], member=message_id, of=3, then=self.then())]


@pytest.mark.parametrize("eager", [False, True])
def test_the_last_of_a_group_brings_what_follows_it_however_they_end(make_invoker, run_consumer, eventually, eager):
    plugin, noted = JoinsAll(), []
    invoker = make_invoker(plugins=[plugin], always_eager=eager)
    note = queue_command(invoker, name="note")(noted.append)
    plugin.then = lambda: note.command("all have ended")
    members = [
        queue_command(invoker, name="fine")(lambda: None).command(),
        queue_command(invoker, name="fails")(fail).command(),
        queue_command(invoker, name="late", expires=0)(fail).command(),
    ]
    for member in members:
        member.headers["flow"] = "spring"
    invoker.enqueue_many(members[:2])
    if not eager:
        run_consumer(invoker)
        eventually(lambda: [one.arrived for one in invoker.queue.groups().items] == [2])
    assert noted == []

    invoker.enqueue(members[2])

    eventually(lambda: noted == ["all have ended"])


class WithoutJoins(MemoryQueue):
    capabilities = MemoryQueue.capabilities - {Capability.JOINS}


@pytest.mark.parametrize("queue", [WithoutJoins("q"), PlainQueue()])
def test_a_queue_without_joins_refuses_groups_where_they_are_made(queue):
    invoker = Invoker(queue, registry=CommandRegistry())

    with pytest.raises(Unsupported, match="has no 'joins', which groups of commands need"):
        invoker.check_joins()


def test_a_queue_with_joins_takes_groups_and_so_does_an_eager_invoker(make_invoker):
    make_invoker().check_joins()
    Invoker(PlainQueue(), always_eager=True, registry=CommandRegistry()).check_joins()


def test_a_group_has_members_in_several_queues_and_is_kept_in_that_of_what_follows(
    make_invoker, run_consumer, eventually
):
    plugin, noted = JoinsAll(), []
    invoker = make_invoker(plugins=[plugin])
    note = queue_command(invoker, name="note", queue="notes")(noted.append)
    plugin.then = lambda: note.command("all have ended")
    member = queue_command(invoker, name="member")(lambda: None)
    members = [member.using(queue=name).command() for name in (None, "mail", "notes")]
    for each in members:
        each.headers["flow"] = "spring"
    invoker.check_joins(members, plugin.then())
    invoker.enqueue_many(members)

    run_consumer(invoker)
    run_consumer(invoker.on_queue("mail"))
    notes = invoker.on_queue("notes")
    eventually(lambda: [one.arrived for one in notes.queue.groups().items] == [2])
    run_consumer(notes)

    eventually(lambda: noted == ["all have ended"])
    assert invoker.queue.groups().items == []


class TestGroupsThatAreRefused:
    def test_one_of_which_nobody_can_say_where_it_is_kept(self, invoker):
        member = queue_command(invoker, name="member")(lambda: None)
        members = [member.command(), member.using(queue="mail").command()]

        with pytest.raises(ConfigurationError, match=r"in the queues huey, mail, and what follows them, .*, is of no"):
            invoker.check_joins(members, QueueCommand())

    def test_one_with_a_member_that_cannot_arrive_where_it_is_kept(self):
        invoker = Invoker(BesideNothing("q"), registry=CommandRegistry())
        member = queue_command(invoker, name="member")(lambda: None)

        invoker.check_joins([member.command()], member.command())
        with pytest.raises(Unsupported, match="its queue 'mail' cannot be written in one step"):
            invoker.check_joins([member.command()], member.using(queue="mail").command())

    def test_one_with_a_member_in_a_queue_without_joins(self):
        class BesideOnesWithoutJoins(MemoryQueue):
            def sibling(self, name):
                return WithoutJoins(name)

        invoker = Invoker(BesideOnesWithoutJoins("q"), registry=CommandRegistry())
        member = queue_command(invoker, name="member")(lambda: None)

        with pytest.raises(Unsupported, match=r"WithoutJoins .* 'joins'"):
            invoker.check_joins([member.using(queue="mail").command()], member.command())


@pytest.mark.parametrize(
    "wrong",
    [
        *({"of": of} for of in (0, 1.5, "3", True, 2**31)),
        *({"ttl": ttl} for ttl in (0, float("inf"), 1e300, "an hour")),
        *({"group": text} for text in (7, "\ud800")),
        *({"member": text} for text in (None, "\ud800")),
        {"then": "a name"},
    ],
)
def test_a_join_that_no_queue_could_write_is_refused_where_it_is_made(wrong):
    with pytest.raises(ConfigurationError, match=f"^{next(iter(wrong))} "):
        Join(**{"group": "g", "member": "m", "of": 1, "then": QueueCommand(), **wrong})

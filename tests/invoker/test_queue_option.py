"""The option ``queue``: a command goes to the queue that it names, and all that is known of it is found there."""

from __future__ import annotations

import pytest

from huey_core import AsyncData, Invoker, PeriodicQueueCommand, QueueCommand, crontab, periodic_command, queue_command
from huey_core.backends.messages import State
from huey_core.commands.options import CommandOptions
from huey_core.commands.periodic import is_run_by
from huey_core.consumer import TickWriter
from huey_core.exceptions import ConfigurationError, QueueWriteException, Unsupported
from huey_core.hookspecs import hookimpl
from huey_core.invoker import CommandRunner, DeferredInvoker
from huey_memory import MemoryQueue
from plain_backend import PlainQueue


@pytest.fixture
def send(invoker):
    @queue_command(invoker, queue="mail")
    def send(to):
        return f"to {to}"

    return send


@pytest.fixture
def store(invoker):
    """A command of the invoker's own queue."""

    @queue_command(invoker)
    def store(value):
        return value

    return store


def ids(invoker, name):
    """The ids of what waits in a queue, in order."""
    return [message.message_id for message in invoker.on_queue(name).leased_queue.peek(State.READY)]


def run_next(invoker, name):
    """Run the next command of a queue, as its consumer does."""
    of_queue = invoker.on_queue(name)
    queue, runner = of_queue.leased_queue, CommandRunner(of_queue)
    deliveries = queue.claim(1, 60.0).deliveries
    runner.prepare(deliveries)
    outcome, execution = runner.run(deliveries[0])
    assert queue.settle([outcome]) == [True]
    return execution


class TestWhereItGoes:
    def test_a_call_goes_to_the_queue_of_its_command(self, invoker, send):
        handle = send("ann")

        assert (ids(invoker, "mail"), ids(invoker, "huey")) == ([handle.task_id], [])

    def test_one_call_may_name_another_queue(self, invoker, send, store):
        first, second = send.using(queue="reports")("ann"), store.using(queue="reports")(5)

        assert ids(invoker, "reports") == [first.task_id, second.task_id]

    def test_one_call_may_go_to_the_queue_of_the_invoker(self, invoker, send):
        handle = send.using(queue=None)("ann")

        assert ids(invoker, "huey") == [handle.task_id]

    def test_a_scheduled_call_waits_there(self, invoker, send):
        handle = send.schedule(["ann"], delay=60)

        scheduled = invoker.on_queue("mail").leased_queue.peek(State.SCHEDULED)
        assert [message.message_id for message in scheduled] == [handle.task_id]

    def test_a_command_that_is_a_class_says_it_in_its_defaults(self, invoker):
        class Send(QueueCommand, declare=False):
            defaults = CommandOptions(queue="mail")

        handle = invoker.enqueue(Send("ann"))

        assert ids(invoker, "mail") == [handle.task_id]

    def test_a_deferred_invoker_is_asked_for_the_queue_at_the_call(self, invoker):
        @queue_command(DeferredInvoker(lambda: invoker), queue="mail", name="test_queue_option.deferred")
        def send(to): ...

        handle = send("ann")

        assert ids(invoker, "mail") == [handle.task_id]

    def test_from_the_invoker_of_another_queue_it_is_the_same_place(self, invoker, send, store):
        mail = invoker.on_queue("mail")

        first = mail.enqueue(send.using(queue="reports").command("ann"))
        second = mail.enqueue(store.command(5))

        assert (ids(invoker, "reports"), ids(invoker, "mail")) == ([first.task_id], [second.task_id])

    def test_a_prepared_command_is_written_there(self, invoker, send, store):
        commands = [send.command("ann"), store.command(5)]

        messages = invoker.prepare(commands)
        assert (ids(invoker, "mail"), ids(invoker, "huey")) == ([], [])
        invoker.write_messages(commands, messages)

        assert ids(invoker, "mail") == [commands[0].task_id]
        assert ids(invoker, "huey") == [commands[1].task_id]

    def test_a_plain_queue_is_written_likewise(self, make_invoker):
        made = {}

        class Beside(PlainQueue):
            def sibling(self, name):
                return made.setdefault(name, PlainQueue(name))

        invoker = Invoker(Beside("web"))

        queue_command(invoker, queue="mail", name="test_queue_option.plain")(lambda: None)()

        assert (len(made["mail"]), len(invoker.queue)) == (1, 0)

    def test_commands_that_run_at_once_are_in_no_queue(self, make_invoker):
        invoker = make_invoker(always_eager=True)

        @queue_command(invoker, queue="mail")
        def send(to):
            return to

        assert (send("ann").get(), send.using(queue="reports")("bob").get()) == ("ann", "bob")
        assert invoker.siblings == []


class TestSeveralAtOnce:
    def test_each_queue_gets_its_own_in_order(self, invoker, send, store):
        commands = [send.command("ann"), store.command(1), send.command("bob"), store.command(2)]

        handles = invoker.enqueue_many(commands)

        assert [handle.task_id for handle in handles] == [command.task_id for command in commands]
        assert ids(invoker, "mail") == [commands[0].task_id, commands[2].task_id]
        assert ids(invoker, "huey") == [commands[1].task_id, commands[3].task_id]

    def test_a_handle_knows_where_the_result_is(self, invoker, send, store):
        to_mail, to_own = invoker.enqueue_many([send.command("ann"), store.command(5)])

        run_next(invoker, "mail")
        run_next(invoker, "huey")

        assert (to_mail.get(), to_own.get()) == ("to ann", 5)

    def test_hooks_are_given_the_invoker_of_the_queue(self, make_invoker):
        seen = []

        class Watcher:
            @hookimpl
            def huey_before_enqueue(self, invoker, command):
                seen.append(("before", invoker.queue.name))

            @hookimpl
            def huey_after_enqueue(self, invoker, command):
                seen.append(("after", invoker.queue.name))

        invoker = make_invoker(plugins=[Watcher()])
        command = queue_command(invoker)(lambda: None)

        invoker.enqueue_many([command.using(queue="mail").command(), command.command()])

        assert seen == [("before", "mail"), ("before", "huey"), ("after", "mail"), ("after", "huey")]

    def test_when_the_second_queue_fails_the_first_is_written_and_trying_again_writes_the_rest(
        self, invoker, send, store, monkeypatch
    ):
        def fail(messages):
            raise ConnectionError("away")

        commands = [send.command("ann"), store.command(5)]
        monkeypatch.setattr(invoker.queue, "write_many", fail)
        with pytest.raises(QueueWriteException, match="away"):
            invoker.enqueue_many(commands)
        written_first = ids(invoker, "mail")
        monkeypatch.undo()

        invoker.enqueue_many(commands)

        assert written_first == ids(invoker, "mail") == [commands[0].task_id]
        assert ids(invoker, "huey") == [commands[1].task_id]

    def test_one_that_cannot_be_written_keeps_all_back(self, invoker, send, store):
        with pytest.raises(Exception, match="store"):
            invoker.enqueue_many([send.command("ann"), store.command(object())])

        assert ids(invoker, "mail") == []


class TestWhatFollowsTheQueue:
    def test_results(self, invoker, send):
        handle = send("ann")
        run_next(invoker, "mail")

        assert handle.get() == "to ann"
        assert invoker.on_queue("mail").result(handle.task_id).get() == "to ann"
        assert invoker.result(handle.task_id).get() is None

    def test_a_handle_that_is_made_of_the_command(self, invoker, send):
        command = send.command("ann")
        invoker.enqueue(command)
        run_next(invoker, "mail")

        assert AsyncData(invoker, command).get() == "to ann"

    def test_the_revocation_of_a_call(self, invoker, send):
        command = send.command("ann")
        handle = invoker.enqueue(command)

        handle.revoke()

        assert (handle.is_revoked(), command.is_revoked()) == (True, True)
        assert invoker.on_queue("mail").revocations.is_call_revoked(handle.task_id)
        assert not invoker.revocations.is_call_revoked(handle.task_id)
        assert run_next(invoker, "mail").dropped

    def test_its_restoration(self, invoker, send):
        handle = send("ann")
        handle.revoke()

        assert handle.restore()

        assert run_next(invoker, "mail").value == "to ann"

    def test_a_command_that_revokes_itself_in_the_run(self, invoker, send):
        send.using(queue="reports")("ann")
        delivery = invoker.on_queue("reports").leased_queue.claim(1, 60.0).deliveries[0]

        invoker.on_queue("reports").codec.decode(delivery.data).revoke()

        assert invoker.on_queue("reports").revocations.is_call_revoked(delivery.message_id)

    def test_the_revocation_of_all_calls(self, invoker, send):
        send("ann")
        send.using(queue="reports")("bob")

        send.revoke()

        assert (send.is_revoked(), send.using(queue="reports").is_revoked()) == (True, False)
        assert run_next(invoker, "mail").dropped
        assert run_next(invoker, "reports").value == "to bob"
        assert send.restore()
        assert not send.is_revoked()

    def test_unique_keys(self, invoker):
        @queue_command(invoker, queue="mail", unique_key="one")
        def send(): ...

        first, double, elsewhere = send(), send(), send.using(queue="reports")()

        assert (double.task_id, ids(invoker, "reports")) == (first.task_id, [elsewhere.task_id])

    def test_a_retry(self, invoker):
        @queue_command(invoker, retries=1)
        def fail():
            raise ValueError

        handle = fail.using(queue="mail")()
        run_next(invoker, "mail")

        assert (ids(invoker, "mail"), ids(invoker, "huey")) == ([handle.task_id], [])


class TestWhatIsRefused:
    @pytest.mark.parametrize("name", ["", "huey-state:mail", "\udcff", 5])
    def test_what_no_queue_can_be_called(self, invoker, send, name):
        with pytest.raises(ConfigurationError, match="queue="):
            queue_command(invoker, queue=name)
        with pytest.raises(ConfigurationError, match="queue="):
            send.using(queue=name)

    def test_an_option_that_the_other_queue_cannot_honour(self):
        class BesidePlainOnes(MemoryQueue):
            def sibling(self, name):
                return PlainQueue(name)

        invoker = Invoker(BesidePlainOnes("web"))
        command = queue_command(invoker, priority=5, name="test_queue_option.able")(lambda: None)

        with pytest.raises(Unsupported, match=r"PlainQueue .* 'priority', which priority= needs"):
            queue_command(invoker, priority=5, queue="mail")
        with pytest.raises(Unsupported, match=r"PlainQueue .* 'priority'"):
            command.using(queue="mail")
        with pytest.raises(Unsupported, match=r"PlainQueue .* 'delay', so retry_delay="):
            queue_command(invoker, retry_delay=5, queue="mail")

    def test_two_queues_of_one_periodic_command(self):
        with pytest.raises(ConfigurationError, match="queue_name is 'mail' and the option queue is 'post'"):

            class Hourly(PeriodicQueueCommand, declare=False):
                queue_name = "mail"
                defaults = CommandOptions(queue="post")


class TestPeriodicCommands:
    def test_one_is_of_the_consumers_of_its_queue(self, invoker):
        @periodic_command(invoker, crontab(), queue="mail")
        def clean_up(): ...

        mail = invoker.on_queue("mail")
        assert TickWriter(invoker).write(60.0) == 0
        assert TickWriter(mail).write(60.0) == 1
        assert len(ids(invoker, "mail")) == 1

    def test_who_is_set_up_for_that_queue_alone_runs_it(self, make_invoker, invoker):
        @periodic_command(invoker, crontab(), queue="mail")
        def clean_up(): ...

        alone = Invoker.from_url(f"{invoker.backends[0].url}?queue=mail", registry=invoker.registry)

        assert is_run_by(clean_up.command_class, alone)
        assert TickWriter(alone).write(60.0) == 1
        assert len(ids(invoker, "mail")) == 1

    def test_a_call_of_it_goes_there_too(self, invoker):
        @periodic_command(invoker, crontab(), queue="mail")
        def clean_up(): ...

        handle = clean_up()

        assert ids(invoker, "mail") == [handle.task_id]

    @pytest.mark.parametrize("body", [{"queue_name": "mail"}, {"defaults": CommandOptions(queue="mail")}])
    def test_a_class_says_it_by_its_queue_name_or_its_defaults(self, invoker, body):
        command_class = type("Hourly", (PeriodicQueueCommand,), body, declare=False)

        handle = invoker.enqueue(command_class())

        assert (command_class.queue_name, command_class.defaults.queue) == ("mail", "mail")
        assert ids(invoker, "mail") == [handle.task_id]
        assert not is_run_by(command_class, invoker)
        assert is_run_by(command_class, invoker.on_queue("mail"))

    @pytest.mark.parametrize(
        ("body", "queue"),
        [
            ({}, "mail"),
            ({"defaults": CommandOptions(retries=3)}, "mail"),
            ({"queue_name": "post"}, "post"),
            ({"defaults": CommandOptions(queue="post")}, "post"),
            ({"queue_name": None}, None),
        ],
    )
    def test_a_subclass_inherits_it_unless_it_says_another(self, body, queue):
        class Mailing(PeriodicQueueCommand, declare=False):
            queue_name = "mail"

        command_class = type("Hourly", (Mailing,), body, declare=False)

        assert (command_class.queue_name, command_class.defaults.queue) == (queue, queue)

"""What a consumer says when it starts about a server that does not talk about itself."""

from __future__ import annotations

import pytest

from huey_core import CommandRegistry, Invoker, crontab, hookimpl, periodic_command, queue_command
from huey_core.backends.url import BackendURL
from huey_core.commands.registry import default_registry
from huey_core.consumer import Consumer
from huey_core.features.heartbeat import consumers_alive
from huey_core.invoker import DeferredInvoker
from huey_core.plugins.backends import backend_registry, register_backend
from huey_memory import MemoryBackend
from plain_backend import PlainQueue
from plugin_options import GiveUp


class Discreet(MemoryBackend):
    """A server that lets its user work, and tells it nothing."""

    schemes = ("discreet",)

    def __init__(self, url):
        super().__init__(BackendURL.parse("memory://discreet/").with_options(()))
        self.url = url

    def describe(self):
        raise PermissionError(f"{self.url.password} may not ask")

    def warnings(self):
        raise PermissionError(f"{self.url.password} may not ask")


@pytest.fixture
def discreet():
    register_backend(Discreet)
    invoker = Invoker.from_url("discreet://user:s3cret@host/", registry=CommandRegistry())
    yield invoker
    invoker.close()
    backend_registry.unregister("discreet")


def test_a_consumer_starts_and_says_what_it_could_not_learn(discreet, run_consumer, caplog):
    caplog.set_level("INFO")

    run_consumer(discreet)

    assert "backend: discreet://user:***@host/ (it cannot be described: PermissionError)" in caplog.messages
    assert "the settings of discreet://user:***@host/ cannot be looked at: PermissionError" in caplog.text
    assert "s3cret" not in caplog.text


class Warner:
    @hookimpl
    def huey_consumer_report(self):
        return ["the weather is fine", "warning: rain is on its way"]


def test_a_line_that_warns_is_logged_as_a_warning_and_the_others_are_not(make_invoker, run_consumer, caplog):
    caplog.set_level("INFO")

    run_consumer(make_invoker(plugins=[Warner()]))

    levels = {record.getMessage(): record.levelname for record in caplog.records}
    assert (levels["the weather is fine"], levels["rain is on its way"]) == ("INFO", "WARNING")


@pytest.mark.parametrize("answer", ["the weather is fine", [1], {"the weather": "fine"}])
def test_a_report_that_is_no_list_of_lines_keeps_the_consumer_from_starting(make_invoker, answer):
    class Reporter:
        @hookimpl
        def huey_consumer_report(self):
            return answer

    consumer = Consumer(make_invoker(plugins=[Reporter()]))

    with pytest.raises(TypeError, match=r"a plugin's huey_consumer_report returned .* no list of texts"):
        consumer.start()


def test_a_quiet_consumer_warns_that_it_knows_no_command(invoker, run_consumer, caplog):
    caplog.set_level("WARNING")

    run_consumer(invoker)

    assert caplog.messages == ["commands (0): none; is the module that defines them imported?"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"workers": 1}, " 1 thread worker,"), ({"threads": 2}, " 2 thread workers,"), ({}, " 4 thread workers,")],
)
def test_workers_are_counted(invoker, run_consumer, caplog, settings, words):
    caplog.set_level("INFO")

    run_consumer(invoker, **settings)

    assert words in caplog.text


@pytest.mark.parametrize(("accepted", "warns"), [("json", False), ("pickle", True), ("pickle|signed", False)])
def test_a_consumer_warns_of_a_serializer_that_runs_what_a_message_carries(
    make_invoker, run_consumer, caplog, monkeypatch, accepted, warns
):
    monkeypatch.setenv("HUEY_SIGNING_KEYS", "the key of the report's tests")
    caplog.set_level("INFO")

    run_consumer(make_invoker(accept=[accepted]))

    levels = [one.levelname for one in caplog.records if "decoding pickle runs what a message" in one.getMessage()]
    assert levels == ["WARNING"] * warns


@pytest.fixture
def two_queues():
    """Invokers of two queues that share a registry, in a memory of their own."""
    registry = CommandRegistry()
    invokers = [Invoker.from_url(f"memory://two-queues/?queue={name}", registry=registry) for name in ("a", "b")]

    @periodic_command(invokers[1], crontab(), name="only-of-b")
    def only_of_b(): ...

    yield invokers
    for invoker in invokers:
        invoker.queue.flush()
        invoker.close()


def test_a_periodic_command_that_no_consumer_runs_is_warned_of(two_queues, run_consumer, caplog):
    caplog.set_level("INFO")

    run_consumer(two_queues[0], periodic=True)

    assert "periodic commands (0): none" in caplog.messages
    [warning] = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert "only-of-b" in warning
    assert "'b'" in warning


def test_a_periodic_command_that_a_consumer_of_its_queue_runs_is_no_cause_for_a_warning(
    two_queues, run_consumer, eventually, caplog
):
    run_consumer(two_queues[1], periodic=True)
    eventually(lambda: consumers_alive(two_queues[1].task_store))
    caplog.set_level("WARNING")

    run_consumer(two_queues[0], periodic=True)

    assert caplog.messages == []


def test_an_option_that_no_plugin_of_the_consumer_offers_is_warned_of(make_invoker, run_consumer, caplog):
    registry = CommandRegistry()
    with_plugin = make_invoker(plugins=[GiveUp()], registry=registry)
    queue_command(with_plugin, name="reports.patient", give_up_after=5, retries=1)(lambda: None)
    caplog.set_level("WARNING")

    run_consumer(with_plugin)
    run_consumer(make_invoker(registry=registry))

    assert caplog.messages == [
        "no plugin here offers give_up_after: the command reports.patient runs as if it did not ask"
    ]


def test_a_queue_that_declares_nothing_is_not_said_to_live_in_one_process(run_consumer, caplog):
    caplog.set_level("INFO")

    run_consumer(Invoker(PlainQueue(), registry=CommandRegistry()))

    assert "lives in one process" not in caplog.text
    assert "does not declare 'persistent'" in caplog.text


def test_the_commands_of_a_queue_that_is_not_served_are_named(invoker, run_consumer, caplog):
    caplog.set_level("INFO")
    queue_command(invoker, queue="mail", name="send")(lambda: None)

    run_consumer(invoker)

    [line] = [record for record in caplog.records if "not served here" in record.getMessage()]
    assert (line.levelname, line.getMessage()) == (
        "INFO",
        "commands of the queue 'mail', which is not served here: send",
    )


def test_a_periodic_command_of_a_queue_that_nobody_serves_is_a_warning(invoker, run_consumer, caplog):
    periodic_command(invoker, crontab(), queue="mail", name="send")(lambda: None)

    run_consumer(invoker, periodic=True)

    [warning] = [line for line in caplog.messages if line.startswith("no known")]
    assert warning.startswith("no known consumer runs these periodic commands of the queue <MemoryQueue 'mail'>")
    assert ": send; " in warning


def test_a_consumer_that_serves_a_periodic_commands_queue_among_others_is_known(
    invoker, run_consumer, caplog, eventually
):
    caplog.set_level("INFO")
    periodic_command(invoker, crontab(), queue="mail", name="send")(lambda: None)
    run_consumer(invoker, serve_queues=["reports", "mail"], periodic=True)
    eventually(lambda: consumers_alive(invoker.on_queue("mail").task_store))
    caplog.clear()

    run_consumer(invoker, periodic=True)

    assert [line for line in caplog.messages if "periodic commands that" in line and line.endswith("run: send")]


def test_a_deferred_invoker_that_is_not_there_keeps_no_consumer_from_starting(invoker, run_consumer, caplog):
    def only_in_a_request():
        raise RuntimeError("there is no request")

    deferred = queue_command(DeferredInvoker(only_in_a_request), name="startup_report.deferred", queue="mail")
    invoker.registry.register(deferred(lambda: None).command_class)
    default_registry.unregister("startup_report.deferred")
    caplog.set_level("INFO")

    run_consumer(invoker)

    assert "commands (1): startup_report.deferred" in caplog.messages

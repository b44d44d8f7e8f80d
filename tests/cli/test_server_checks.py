from __future__ import annotations

import json
import pathlib
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.backends.backend import Backend
from huey_core.backends.messages import Claim, State
from huey_core.backends.url import BackendURL
from huey_core.cli import server_checks
from huey_core.cli.diagnosis import Level
from huey_core.consumer import Consumer
from huey_core.hookspecs import hookimpl
from huey_core.plugins.backends import register_backend
from huey_core.plugins.registry import LazyRegistry
from huey_memory import MemoryBackend, MemoryDataStore, MemoryQueue

BACKENDS: LazyRegistry[Backend] = sys.modules["huey_core.plugins.backends"].backend_registry


class Faulty(MemoryBackend):
    """A server with everything that a doctor can find."""

    schemes = ("faulty",)
    problem = ""

    def __init__(self, url):
        super().__init__(BackendURL.parse("memory://faulty/").with_options(()))
        self.url = url

    def ping(self):
        if self.problem == "ping":
            raise OSError(f"no route to host for {self.url.render(hide_password=False)}")
        if self.problem == "latency":
            time.sleep(0.06)

    def describe(self):
        if self.problem == "describe":
            raise PermissionError(f"{self.url.password} may not{' at all' * 100}")
        return {"version": pathlib.PurePath("1.0")} if self.problem == "no text" else {}

    def close(self):
        super().close()
        if self.problem == "close":
            raise OSError(f"{self.url.password} cannot be closed")

    def warnings(self):
        return ["Messages are thrown away when memory is full."] if self.problem == "settings" else []

    def queue(self, name):
        if self.problem == "loses":
            return Forgetful(name)
        if self.problem == "rights":
            return ReadOnly(name)
        return Ahead(name) if self.problem == "clock" else super().queue(name)

    def data_store(self, name):
        if self.problem == "results":
            return ForgetfulStore(name)
        if self.problem == "watchers":
            return SilentStore(name)
        return super().data_store(name)


class Ahead(MemoryQueue):
    def now(self):
        return time.time() + 100


class Forgetful(MemoryQueue):
    def write(self, data, **options):
        return None

    def claim(self, limit, lease, wait=0.0):
        return Claim([], [])


class ReadOnly(MemoryQueue):
    def write(self, data, **options):
        raise PermissionError("you may not write")

    def flush(self):
        raise PermissionError("you may not flush")


class ForgetfulStore(MemoryDataStore):
    def get(self, key):
        self.flush()
        return super().get(key)


class SilentStore(MemoryDataStore):
    def watch(self, key, callback):
        return lambda: None


@pytest.fixture
def faulty(monkeypatch):
    """Registers a backend with one problem and returns its URL."""

    def make(problem: str) -> str:
        monkeypatch.setattr(Faulty, "problem", problem)
        register_backend(Faulty, replace=True)
        return "faulty://user:s3cret%21@host/?queue=mail"

    yield make
    BACKENDS.unregister("faulty")


class TestServer:
    def test_a_healthy_server_passes_every_check(self, cli, diagnose):
        found = diagnose(cli.url)

        names = ("URL", "connection", "server", "settings", "capabilities", "latency", "clock", "round trip", "queue")
        assert {name: found[name]["level"] for name in names} == dict.fromkeys(names, "ok")

    def test_the_url_is_taken_from_the_environment(self, cli, diagnose, monkeypatch):
        monkeypatch.setenv("HUEY_URL", cli.url)

        assert diagnose()["queue"]["facts"]["queue"] == cli.queue.name

    def test_without_a_url_no_server_is_looked_at(self, diagnose):
        assert "URL" not in diagnose()

    @pytest.mark.parametrize(
        ("problem", "check", "level", "sentence"),
        [
            ("ping", "connection", "fail", "OSError: no route to host for faulty://user:***@host"),
            ("describe", "server", "fail", "PermissionError: *** may not"),
            ("no text", "server", "ok", "version 1.0"),
            ("close", "end", "warn", "OSError: *** cannot be closed"),
            ("settings", "settings", "warn", "Messages are thrown away when memory is full."),
            ("latency", "latency", "warn", " ms a round trip"),
            ("clock", "clock", "warn", "s ahead of this machine's"),
            ("rights", "round trip", "fail", "PermissionError: you may not write"),
            ("loses", "round trip", "fail", "the command did not come back"),
            ("results", "round trip", "fail", "its result did not come back"),
            ("watchers", "round trip", "fail", "whoever waits for a result was not told"),
        ],
    )
    def test_a_problem_is_found_and_the_other_checks_go_on(
        self, diagnose, faulty, monkeypatch, problem, check, level, sentence
    ):
        monkeypatch.setattr(server_checks, "_PATIENCE", 0.1)

        found = diagnose(faulty(problem))

        assert (found[check]["level"], sentence in found[check]["sentence"]) == (level, True)
        assert "s3cret" not in json.dumps(found)
        assert ("queue" in found) is (problem != "ping")

    @pytest.mark.parametrize(
        ("said", "level"), [(100.0, Level.OK), (103.0, Level.OK), (98.5, Level.WARN), (104.5, Level.WARN)]
    )
    def test_an_answer_that_took_long_is_held_against_no_clock(self, cli, monkeypatch, said, level):
        monkeypatch.setattr(server_checks, "time", SimpleNamespace(time=iter([100.0, 103.0]).__next__))
        monkeypatch.setattr(cli.queue, "now", lambda: said)

        found = server_checks.check_clock(server_checks.Target(cli.backend, cli.queue, cli.backend.data_store("state")))

        assert found.level is level

    def test_a_driver_is_not_quoted_at_length(self, diagnose, faulty):
        sentence = diagnose(faulty("describe"))["server"]["sentence"]

        assert (len(sentence) < 400, sentence[-3:]) == (True, "...")

    @pytest.mark.parametrize(
        "url", ["redis://user:s3cret@host:port/", "nosuch://user:s3cret@host/", "no url", "memory://?x=1"]
    )
    def test_a_url_that_cannot_be_used_is_one_failure(self, diagnose, url):
        found = diagnose(url)

        assert (found["URL"]["level"], "s3cret" in json.dumps(found)) == ("fail", False)
        assert "connection" not in found

    def test_a_serializer_that_cannot_be_made_is_found(self, diagnose, monkeypatch):
        monkeypatch.delenv("HUEY_SIGNING_KEYS", raising=False)

        found = diagnose("memory://?serializer=json|signed")["round trip"]

        assert (found["level"], "HUEY_SIGNING_KEYS" in found["sentence"]) == ("fail", True)
        assert found["advice"].startswith("no server is at fault")

    @pytest.mark.parametrize("serializer", ["signed|json", "nosuch"])
    def test_a_serializer_that_does_not_exist_is_not_blamed_on_the_server(self, diagnose, serializer):
        found = diagnose(f"memory://?serializer={serializer}")["round trip"]

        assert (found["level"], found["advice"].startswith("no server is at fault")) == ("fail", True)

    def test_dead_letters_and_a_pause_are_warnings(self, cli, diagnose):
        cli.bury("one")
        cli.queue.pause()

        found = diagnose(cli.url)["queue"]

        assert (found["level"], found["facts"]["dead"], found["facts"]["paused"]) == ("warn", 1, True)
        assert "huey dead list" in found["advice"]
        assert "huey resume" in found["advice"]

    def test_the_messages_of_the_queue_are_left_alone(self, cli, diagnose):
        cli.write("one")

        diagnose(cli.url)

        (left,) = cli.queue.peek(State.READY)
        assert (left.message_id, left.attempt) == ("one", 0)

    def test_a_plain_backend_is_diagnosed_too(self, diagnose, plain_backend):
        found = diagnose("plain://host/")

        assert (found["round trip"]["level"], found["capabilities"]["level"]) == ("ok", "warn")
        assert found["consumers"]["sentence"].startswith("they write no heartbeat")


class TestConsumers:
    def start(self, url: str, run_consumer: Any, *names: str) -> Consumer:
        invoker = Invoker.from_url(url, registry=CommandRegistry())
        for name in names:
            queue_command(invoker, name=name)(lambda: None)
        return run_consumer(invoker)

    def test_a_queue_without_a_consumer_is_a_warning(self, cli, diagnose):
        assert diagnose(cli.url)["consumers"]["level"] == "warn"

    def test_that_messages_wait_without_a_consumer_is_told_with_the_age_of_the_oldest(self, cli, diagnose):
        invoker = Invoker.from_url(cli.url, registry=CommandRegistry())
        command = queue_command(invoker, name="mail.send")(lambda: None).command()
        command.enqueued_at = time.time() - 3 * 3600
        invoker.enqueue(command)
        # Of another state, and younger.
        invoker.queue.write(b"later", eta=time.time() - 60)

        found = diagnose(cli.url)["consumers"]

        assert found["level"] == "warn"
        assert found["facts"]["waited_seconds"] == pytest.approx(3 * 3600, abs=600)
        assert "3:" in found["sentence"]

    def test_consumers_are_shown_with_the_commands_they_know(self, cli, diagnose, run_consumer, eventually):
        one, other = (self.start(cli.url, run_consumer, "mail.send", "mail.read") for _ in range(2))
        eventually(lambda: len(diagnose(cli.url)["consumers"]["facts"].get("consumers", [])) == 2)

        found = diagnose(cli.url)

        assert all("knows mail.read, mail.send" in found[f"consumer {each.name}"]["sentence"] for each in (one, other))
        assert found["commands"]["sentence"] == "every consumer knows the same 2"

    def test_a_consumer_of_several_queues_is_seen_from_each_and_names_them(
        self, cli, diagnose, run_consumer, eventually
    ):
        invoker = Invoker.from_url(cli.url, registry=CommandRegistry())
        own = invoker.queue.name
        consumer = run_consumer(invoker, serve_queues={"reports": 1, own: 3})
        eventually(lambda: f"consumer {consumer.name}" in diagnose(cli.url))

        found = diagnose(cli.url)[f"consumer {consumer.name}"]

        assert found["facts"]["queues"] == ["reports", own]
        assert f"serves 'reports', '{own}', runs 0" in found["sentence"]

    def test_what_a_consumer_runs_is_named(self, cli, diagnose, run_consumer, eventually):
        invoker = Invoker.from_url(cli.url, registry=CommandRegistry())
        going_on = threading.Event()
        wait = queue_command(invoker, name="mail.wait")(lambda: going_on.wait(60))
        check = f"consumer {run_consumer(invoker, threads=5, heartbeat=0.1).name}"
        ids = {wait().task_id for _ in range(5)}
        found = {}

        def all_are_named():
            found.update(diagnose(cli.url).get(check, {"facts": {"running_ids": []}}))
            return set(found["facts"]["running_ids"]) == ids

        eventually(all_are_named)
        going_on.set()

        named = ", ".join(f"mail.wait {each}" for each in found["facts"]["running_ids"][:3])
        assert f"runs 5 ({named} and 2 more), seen" in found["sentence"]

    def test_a_consumer_with_a_part_that_is_stuck_is_a_failure(self, cli, diagnose, run_consumer, eventually):
        invoker = Invoker.from_url(cli.url, registry=CommandRegistry())
        consumer = run_consumer(invoker, heartbeat=0.1)
        consumer.queues[0].fetcher.problem = lambda: "the fetch loop has been stuck for 90 s"
        check, found = f"consumer {consumer.name}", {}

        def it_is_told():
            found.update(diagnose(cli.url).get(check, {"level": "ok"}))
            return found["level"] == "fail"

        eventually(it_is_told)

        assert "the fetch loop has been stuck for 90 s" in found["sentence"]

    def test_what_plugins_of_a_consumer_do_amiss_is_a_warning(self, cli, diagnose, run_consumer, eventually):
        class Nuisance:
            @hookimpl
            def huey_worker_start(self):
                raise RuntimeError("I am a nuisance")

        invoker = Invoker.from_url(cli.url, registry=CommandRegistry(), plugins=[Nuisance()])
        check = f"consumer {run_consumer(invoker, threads=1, heartbeat=0.1).name}"
        found = {}

        def it_is_told():
            found.update(diagnose(cli.url).get(check, {"facts": {"hook_faults": []}}))
            return any(faults["errors"] for faults in found["facts"]["hook_faults"])

        eventually(it_is_told)

        assert found["level"] == "warn"
        assert "Nuisance in huey_worker_start raised once" in found["sentence"]
        assert [faults["errors"] for faults in found["facts"]["hook_faults"] if faults["errors"]] == [1]

    def test_a_command_that_a_consumer_lacks_is_named(self, cli, diagnose, run_consumer, eventually):
        self.start(cli.url, run_consumer, "mail.send", "mail.read")
        old = self.start(cli.url, run_consumer, "mail.read")
        eventually(lambda: len(diagnose(cli.url)["consumers"]["facts"].get("consumers", [])) == 2)

        found = diagnose(cli.url)["commands"]

        assert (found["level"], found["facts"]["missing"]) == ("warn", {old.name: ["mail.send"]})

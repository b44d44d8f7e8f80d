from __future__ import annotations

import json
import pathlib
import sys
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from redis import Redis

from huey_core import CommandRegistry, Invoker, __version__, queue_command
from huey_core.backends.backend import HUEY_PLUGIN_API, Backend
from huey_core.backends.leased import DEFAULT_LEASE, Claim, State
from huey_core.backends.url import BackendURL
from huey_core.cli import server_checks
from huey_core.cli.diagnosis import Level
from huey_core.cli.group import huey
from huey_core.consumer import Consumer
from huey_core.hookspecs import hookimpl
from huey_core.plugins import discovery
from huey_core.plugins.backends import register_backend
from huey_core.plugins.registry import LazyRegistry
from huey_memory import MemoryBackend, MemoryDataStore, MemoryQueue
from huey_redis.testing import RedisServer

BACKENDS: LazyRegistry[Backend] = sys.modules["huey_core.plugins.backends"].backend_registry


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


HOOKS = """
    from huey_core.hookspecs import hookimpl

    @hookimpl
    def huey_command_failed(command): pass
"""


class TestPlugins:
    def test_every_plugin_is_shown_with_where_it_comes_from(self, diagnose):
        found = diagnose()

        facts = found["backend memory"]["facts"]
        assert (facts["distribution"], facts["target"], facts["api"]) == ("huey-memory", "huey_memory:MemoryBackend", 1)
        assert found["serializer json"]["sentence"].startswith(f"huey-core {__version__} ")
        assert found["huey-core"]["facts"]["api"] == HUEY_PLUGIN_API

    def test_the_hooks_of_a_plugin_are_named(self, diagnose, install):
        install(HOOKS)

        found = diagnose()["hooks extra"]

        assert (found["level"], found["facts"]["hooks"]) == ("ok", ["huey_command_failed"])
        assert "huey-extra 1." in found["sentence"]

    def test_a_hook_that_does_not_exist_is_named_with_the_closest(self, diagnose, install):
        install(HOOKS.replace("command_failed", "command_faild"))

        found = diagnose()["hooks extra"]

        assert found["level"] == "fail"
        assert "'huey_command_faild', which is no hook; did you mean 'huey_command_failed'?" in found["sentence"]

    def test_a_hook_that_is_not_marked_is_named(self, diagnose, install):
        install(HOOKS.replace("@hookimpl", ""))

        found = diagnose()["hooks extra"]

        assert (found["level"], found["facts"]["unmarked_hooks"]) == ("warn", ["huey_command_failed"])

    @pytest.mark.parametrize("source", ["1 / 0", "import no_such_module", "raise SystemExit(3)", "this is not Python"])
    @pytest.mark.parametrize("group", discovery.GROUPS)
    def test_a_broken_plugin_is_shown_and_harms_no_other(self, diagnose, install, source, group):
        install(source, group)

        found = diagnose()

        (broken,) = [finding for check, finding in found.items() if check.endswith(" extra")]
        assert (broken["level"], broken["facts"]["status"]) == ("fail", "broken")
        assert "HUEY_DISABLE_PLUGINS=huey-extra" in broken["advice"]
        assert found["backend memory"]["level"] == "ok"

    def test_a_backend_class_without_its_attributes_is_broken(self, diagnose, install):
        install("from huey_core.backends.backend import Backend as huey_extra_of_this_test", discovery.BACKENDS)

        assert diagnose()["backend extra"]["level"] == "fail"

    def test_a_plugin_for_another_version_of_the_api_is_incompatible(self, diagnose, install):
        install(f"{HOOKS}\n    HUEY_PLUGIN_API = 99\n")

        found = diagnose()["hooks extra"]

        assert (found["level"], found["facts"]["status"]) == ("fail", "incompatible")
        assert "upgrade huey-core" in found["sentence"]

    def test_two_claims_on_one_name_are_a_failure_that_names_both(self, cli, install):
        install(HOOKS)
        install(HOOKS, distribution="huey-other")

        result = cli.run("doctor")

        assert result.exit_code == 1
        lines = [line for line in result.output.splitlines() if line.startswith("✗ hooks extra")]
        assert len(lines) == 2
        assert all("huey-extra 1." in line and "huey-other 1." in line for line in lines)

    def test_two_claims_on_one_scheme_are_a_failure_that_names_both(self, cli, install):
        for distribution in ("huey-extra", "huey-other"):
            install("raise SystemExit", discovery.BACKENDS, distribution)

        lines = cli.run("doctor", "extra://user:s3cret@host/").output.splitlines()

        failed = [line for line in lines if line.startswith(("✗ backend extra", "✗ URL"))]
        assert len(failed) == 3
        assert all("huey-extra 1." in line and "huey-other 1." in line for line in failed)

    def test_a_blocked_plugin_is_not_imported(self, diagnose, install, monkeypatch):
        monkeypatch.setenv("HUEY_DISABLE_PLUGINS", "extra")
        install("1 / 0")

        found = diagnose()

        assert found["hooks extra"]["level"] == "warn"
        assert found["block list"]["facts"]["blocked"] == ["extra"]

    def test_a_block_list_that_names_nothing_is_a_warning(self, diagnose, monkeypatch):
        monkeypatch.setenv("HUEY_DISABLE_PLUGINS", "huey-memroy")

        assert "huey-memroy is not installed" in diagnose()["block list"]["sentence"]

    def test_choices_that_cannot_be_read_are_a_failure(self, diagnose, monkeypatch):
        monkeypatch.setenv("HUEY_PLUGIN_CHOICE", "redis")

        assert "write name=distribution" in diagnose()["choices"]["sentence"]

    def test_a_consumer_script_that_is_not_ours_is_a_warning(self, diagnose, tmp_path, monkeypatch):
        script = tmp_path / "huey_consumer"
        script.write_text("#!/usr/bin/python\nfrom huey.bin.huey_consumer import consumer_main\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

        found = diagnose()["huey_consumer"]

        assert (found["level"], found["facts"]) == ("warn", {"path": str(script), "is_ours": False})
        assert "huey consumer" in found["advice"]


class TestOutput:
    def test_every_check_is_one_aligned_line(self, cli):
        *lines, summary = cli.run("doctor", cli.url).output.splitlines()

        assert {line[:2] for line in lines} <= {"✓ ", "! ", "✗ "}
        column = lines[0].index(f"{__version__}, plugin API")
        assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines)
        assert summary.startswith(f"{len(lines)} checks: 0 failed, ")

    def test_a_terminal_that_knows_ascii_alone_gets_ascii(self, cli, install):
        install("raise ValueError('\\u2713 \\x1b[2J')")

        output = CliRunner(charset="ascii").invoke(huey, ["doctor"]).stdout_bytes

        assert output.isascii()
        assert b"x hooks extra" in output
        assert b"\n+ backend memory" in output
        assert b"\x1b" not in output


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
        ],
    )
    def test_a_problem_is_found_and_the_other_checks_go_on(self, diagnose, faulty, problem, check, level, sentence):
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

    def test_what_a_consumer_runs_is_named(self, cli, diagnose, run_consumer, eventually):
        invoker = Invoker.from_url(f"{cli.url}&lease=3", registry=CommandRegistry())
        going_on = threading.Event()
        wait = queue_command(invoker, name="mail.wait")(lambda: going_on.wait(60))
        check = f"consumer {run_consumer(invoker, threads=5).name}"
        ids = {wait().task_id for _ in range(5)}
        found = {}

        def all_are_named():
            found.update(diagnose(cli.url).get(check, {"facts": {"running_ids": []}}))
            return set(found["facts"]["running_ids"]) == ids

        eventually(all_are_named)
        going_on.set()

        named = ", ".join(f"mail.wait {each}" for each in found["facts"]["running_ids"][:3])
        assert f"runs 5 ({named} and 2 more), seen" in found["sentence"]

    def test_what_plugins_of_a_consumer_do_amiss_is_a_warning(self, cli, diagnose, run_consumer, eventually):
        class Nuisance:
            @hookimpl
            def huey_worker_start(self):
                raise RuntimeError("I am a nuisance")

        invoker = Invoker.from_url(f"{cli.url}&lease=1", registry=CommandRegistry(), plugins=[Nuisance()])
        check = f"consumer {run_consumer(invoker, threads=1).name}"
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


def test_a_real_server_is_left_as_it_was(diagnose, run_consumer, eventually):
    with RedisServer() as server, Redis(port=server.port, decode_responses=True) as client:
        url = f"{server.url()}?queue=mail"
        consumer = run_consumer(Invoker.from_url(url, registry=CommandRegistry()))
        eventually(lambda: f"consumer {consumer.name}" in diagnose(url))
        found = diagnose(url)
        consumer.stop()
        # A thread removes the record, for which a stop does not wait long. By itself it would end with its lease.
        eventually(lambda: "consumer:" not in str(client.keys()), "the record is removed", timeout=DEFAULT_LEASE / 2)
        keys = str(client.keys())

    assert {found[check]["level"] for check in ("connection", "server", "round trip")} == {"ok"}
    assert "doctor" not in keys

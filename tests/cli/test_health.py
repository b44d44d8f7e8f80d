"""``huey health`` says whether a consumer is healthy, by its exit code and in one line."""

from __future__ import annotations

import json
import os

import pytest

from huey_core.features.heartbeat import ConsumerRecord
from huey_core.invoker.opened import OpenedBackends

URL = "memory://test_health/?queue=mail"


@pytest.fixture
def store():
    """Where the consumers of the queue write their heartbeats."""
    store = OpenedBackends().task_store(URL)
    yield store
    store.flush()


@pytest.fixture
def add(store):
    """Write the record of a consumer that was last seen so many seconds ago."""
    names = {}

    def add(name, seconds_ago=0.0, **facts):
        now = OpenedBackends().queue(URL).now()
        record = ConsumerRecord(name=name, seen=now - seconds_ago, **{"heartbeat": 10.0, **facts})
        store.put(f"consumer:{name}", record.encode(), 60.0)
        names[name] = now + 60.0
        store.put("consumers", json.dumps(names).encode())

    return add


def test_a_consumer_that_was_seen_lately_is_healthy(cli, add):
    add("web1:7:a", seconds_ago=5)

    result = cli.run("health", URL)

    assert (result.exit_code, result.stdout, result.stderr) == (0, "healthy: web1:7:a\n", "")


def test_a_queue_without_consumers_is_not(cli, store):
    result = cli.run("health", URL)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "not healthy: no consumer of the queue 'mail' has a recent heartbeat\n"


def test_a_consumer_is_good_for_three_of_its_own_beats(cli, add):
    add("web1:7:a", seconds_ago=29)
    add("web2:7:a", seconds_ago=29, heartbeat=5.0)

    assert cli.run("health", URL, "--consumer", "web1").exit_code == 0
    result = cli.run("health", URL, "--consumer", "web2")
    assert result.exit_code == 1
    assert "web2:7:a has sent no heartbeat for 29" in result.stderr
    assert "should within 15 s" in result.stderr


@pytest.mark.parametrize(("age", "code"), [("30s", 0), ("3s", 1), ("1m", 0)])
def test_the_greatest_age_may_be_given(cli, add, age, code):
    add("web1:7:a", seconds_ago=5)

    assert cli.run("health", URL, "--max-age", age).exit_code == code


def test_one_healthy_consumer_is_enough(cli, add):
    add("web1:7:a", seconds_ago=50)
    add("web2:7:a")

    result = cli.run("health", URL)

    assert (result.exit_code, result.stdout) == (0, "healthy: web2:7:a\n")


@pytest.mark.parametrize("name", ["web1", "web1:7", "web1:7:a"])
def test_a_consumer_is_named_by_its_host_its_process_or_its_whole_name(cli, add, name):
    add("web1:7:a", problems=("the fetch loop has ended",))
    add("web10:7:a")

    result = cli.run("health", URL, "--consumer", name)

    assert (result.exit_code, result.stderr) == (1, "not healthy: web1:7:a: the fetch loop has ended\n")


@pytest.mark.parametrize("name", ["web", "web1:", "web1:70", "7"])
def test_a_consumer_of_another_name_is_not_meant(cli, add, name):
    add("web1:7:a")

    result = cli.run("health", URL, "--consumer", name)

    assert result.exit_code == 1
    assert f"no consumer {name!r} of the queue 'mail'" in result.stderr


def test_json_says_the_same_of_each_consumer(cli, add):
    add("web1:7:a", seconds_ago=50, problems=("the fetch loop has ended",))
    add("web2:7:a")

    result = cli.run("health", URL, "--json")

    said = json.loads(result.stdout)
    assert (result.exit_code, said["healthy"], said["reason"]) == (0, True, None)
    assert [(one["consumer"], one["healthy"], one["max_age_seconds"]) for one in said["consumers"]] == [
        ("web1:7:a", False, 30.0),
        ("web2:7:a", True, 30.0),
    ]
    assert said["consumers"][0]["problems"] == ["the fetch loop has ended"]


def test_a_server_that_does_not_answer_is_one_line(cli):
    result = cli.run("health", "redis://:correct-horse@127.0.0.1:1/0")

    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "127.0.0.1:1" in result.stderr
    assert "correct-horse" not in result.stderr


@pytest.mark.parametrize(
    "words", [("--file", "f", "--consumer", "web1"), ("--file", "f", "--queue", "q"), (), (URL, "--max-age", "soon")]
)
def test_a_command_line_that_cannot_be_obeyed_is_refused(cli, words, monkeypatch):
    monkeypatch.delenv("HUEY_URL", raising=False)

    assert cli.run("health", *words).exit_code == 2


class TestFile:
    """With --file no server is asked."""

    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "health"
        path.write_text('{"consumer": "web1:7:a", "pid": 7, "heartbeat": 2.0}\n')
        return path

    @staticmethod
    def age(path, seconds):
        at = path.stat().st_mtime - seconds
        os.utime(path, (at, at))

    def test_one_that_was_touched_lately_is_healthy(self, cli, path):
        result = cli.run("health", "--file", str(path))

        assert (result.exit_code, result.stdout) == (0, "healthy: web1:7:a\n")

    def test_it_is_good_for_three_beats(self, cli, path):
        self.age(path, 7)

        result = cli.run("health", "--file", str(path))

        assert result.exit_code == 1
        assert "web1:7:a has sent no heartbeat for 7" in result.stderr

    def test_the_greatest_age_may_be_given(self, cli, path):
        self.age(path, 7)

        assert cli.run("health", "--file", str(path), "--max-age", "60s").exit_code == 0

    def test_a_url_beside_it_is_refused_where_it_is_given_on_the_command_line(self, cli, path, monkeypatch):
        monkeypatch.setenv("HUEY_URL", "redis://localhost:1/0")

        assert cli.run("health", "--file", str(path)).exit_code == 0
        refused = cli.run("health", "--file", str(path), "redis://localhost:1/0")
        assert (refused.exit_code, "leave out the URL" in refused.stderr) == (2, True)

    def test_none_is_not_healthy(self, cli, tmp_path):
        result = cli.run("health", "--file", str(tmp_path / "health"))

        assert result.exit_code == 1
        assert "there is no file" in result.stderr

    @pytest.mark.parametrize("text", ["", "garbage", "[]", '{"consumer": 5}', '{"consumer": "a", "heartbeat": "x"}'])
    def test_one_that_cannot_be_read_is_judged_by_its_age(self, cli, path, text):
        path.write_text(text)

        assert cli.run("health", "--file", str(path)).exit_code == 0
        self.age(path, 31)
        assert cli.run("health", "--file", str(path)).exit_code == 1

    def test_one_that_is_no_file_is_one_line(self, cli, tmp_path):
        result = cli.run("health", "--file", str(tmp_path))

        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)

"""The demo, run as a reader would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis import Redis

from huey_core import Invoker

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(params=["sqlite", "redis"])
def url(request, tmp_path):
    """The URL of an empty queue on each kind of backend that the demo brings along."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'demo.db'}"
    return request.getfixturevalue("server").url(queue=request.node.name.translate(str.maketrans("[]", "..")))


def run_demo(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "wordcount", *arguments],
        cwd=EXAMPLES,
        env={**os.environ, "HUEY_URL": "", "PYTHONPATH": str(EXAMPLES), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def folder(tmp_path):
    """Thirty files of a hundred words each."""
    folder = tmp_path / "words"
    folder.mkdir()
    for number in range(30):
        (folder / f"file{number}.py").write_text("spam " * 60 + "eggs " * 40)
    return folder


@pytest.mark.parametrize("place", [[], ["--redis"]], ids=["sqlite", "redis"])
def test_the_totals_are_right_although_a_consumer_was_killed(place):
    demo = run_demo("--limit", "90", *place)

    assert demo.returncode == 0, demo.stderr
    assert "with SIGKILL" in demo.stdout
    assert "90 files" in demo.stdout
    assert re.search(r"Delivered twice, because the consumer that was killed held them: \d+ commands", demo.stdout)
    assert "The totals equal a direct count." in demo.stdout


@pytest.mark.parametrize("place", [[], ["--redis"]], ids=["sqlite", "redis"])
def test_the_demo_removes_the_file_or_the_server_that_it_made(place, folder):
    # The path of a Unix socket must be short, and those of pytest's own folders are not.
    with TemporaryDirectory(prefix="demo-") as temporary:
        demo = run_demo("--folder", str(folder), *place, TMPDIR=temporary)

        assert demo.returncode == 0, demo.stderr
        assert os.listdir(temporary) == []


def test_the_most_frequent_words_are_listed_with_their_numbers(url, folder):
    demo = run_demo("--folder", str(folder), HUEY_URL=url)

    assert "30 files, 3,000 words, 2 of them different." in demo.stdout
    assert "1,800  spam\n" in demo.stdout
    assert "1,200  eggs\n" in demo.stdout


def test_wrong_totals_are_reported_and_end_with_1(url, folder):
    # A file that reads differently in every process: the consumers count other words than the direct count finds.
    (folder / "arguments.py").symlink_to("/proc/self/cmdline")

    demo = run_demo("--folder", str(folder), "--url", url)

    assert demo.returncode == 1
    assert "WRONG: 'consumer' was counted 1 times and occurs 0 times" in demo.stderr
    assert "The totals equal a direct count." not in demo.stdout


def test_the_demo_leaves_nothing_on_the_server(server, folder, eventually):
    demo = run_demo("--folder", str(folder), "--url", server.url(database=5))

    assert demo.returncode == 0, demo.stderr
    with Redis(port=server.port, db=5) as database:
        # The record of the consumer that was killed is forgotten after three of its heartbeats.
        eventually(lambda: database.dbsize() == 0, "the database is empty")


def test_a_queue_that_is_in_use_is_refused_and_left_alone(url, folder):
    with closing(Invoker.from_url(url)) as invoker:
        invoker.queue.write(b"somebody else's message")

        demo = run_demo("--folder", str(folder), "--url", url)

        assert demo.returncode == 2
        assert "is not empty" in demo.stderr
        assert len(invoker.queue) == 1


def test_a_url_and_a_server_of_its_own_are_not_both_taken(url, folder):
    demo = run_demo("--folder", str(folder), "--url", url, "--redis")

    assert demo.returncode == 2
    assert "give --url or --redis, not both" in demo.stderr


def test_a_backend_that_lives_in_one_process_is_refused(folder):
    demo = run_demo("--folder", str(folder), "--url", "memory://")

    assert demo.returncode == 2
    assert "lives in one process" in demo.stderr

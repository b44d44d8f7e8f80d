"""The blog as it is deployed: a web server, a consumer and a Redis, each in a process of its own."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest
from django.utils import timezone

from huey_redis.testing import RedisServer

PROJECT = Path(__file__).parent.parent
PATIENCE = 60.0


def await_condition(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
        time.sleep(0.05)


class Process:
    """A command of ``manage.py`` that runs until it is told to stop."""

    def __init__(self, folder: Path, environment: dict[str, str], *words: str) -> None:
        self._output = folder / f"{words[0]}.log"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", *words],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self._output.read_text()

    def await_output(self, text: str) -> None:
        await_condition(lambda: text in self.output() or self.process.poll() is not None, f"{text!r} is printed")
        assert text in self.output(), self.output()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Browser:
    """Fills in forms."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._opener = build_opener(HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def read(self, path: str) -> str:
        with self._opener.open(self._address + path, timeout=PATIENCE) as page:
            text: str = page.read().decode()
            return text

    def send(self, path: str, **fields: str) -> str:
        [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', self.read(path))
        data = urlencode({"csrfmiddlewaretoken": token, **fields}).encode()
        with self._opener.open(self._address + path, data, timeout=PATIENCE) as page:
            text: str = page.read().decode()
            return text


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    with RedisServer() as server:
        environment = {
            **os.environ,
            "BLOG_FOLDER": str(tmp_path),
            "HUEY_URL": server.url(),
            "PYTHONUNBUFFERED": "1",
        }
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"], cwd=PROJECT, env=environment, check=True
        )
        yield environment


@pytest.fixture
def consumer(tmp_path: Path, environment: dict[str, str]) -> Iterator[Process]:
    process = Process(tmp_path, environment, "run_huey")
    try:
        process.await_output("ready")
        yield process
    finally:
        process.kill()


@pytest.fixture
def browser(tmp_path: Path, environment: dict[str, str]) -> Iterator[Browser]:
    process = Process(tmp_path, environment, "runserver", "--noreload", "127.0.0.1:0")
    try:
        process.await_output("Quit the server")
        [address] = re.findall(r"server at (http://127\.0\.0\.1:\d+)/", process.output())
        yield Browser(address)
    finally:
        process.kill()


def test_a_letter_that_is_sent_in_a_form_is_mailed_by_the_consumer(browser, consumer):
    page = browser.send("/letter/", sender="ann@example.com", text="Dear editors,")

    assert "Thank you for your letter." in page
    consumer.await_output("Dear editors,")


def test_a_post_appears_when_its_time_has_come(browser, consumer):
    soon = timezone.localtime() + timedelta(seconds=2)
    browser.send("/write/", title="News of the day", text="None", publish_at=soon.isoformat(" ", "seconds")[:19])

    await_condition(lambda: "<h2>News of the day</h2>" in browser.read("/"), "the post is published")
    assert timezone.now() >= soon.replace(microsecond=0)


def test_a_consumer_that_is_told_to_stop_ends_well(consumer):
    assert consumer.stop() == 0

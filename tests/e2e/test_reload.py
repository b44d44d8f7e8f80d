"""``huey consumer --reload`` starts a consumer again when its source changes, and lets it finish first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from deployment import await_condition
from huey_core import CommandRegistry, Invoker, queue_command

SHOP = """
import os, time
from huey_core import Invoker, queue_command
from huey_core.consumer import BaseConfiguration
from prices import PRICE

invoker = Invoker.from_url(os.environ["SHOP_URL"])


@queue_command(invoker, name="price")
def price():
    return [PRICE, os.getpid()]


@queue_command(invoker, name="wait")
def wait():
    open("began", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
    return PRICE


class Configuration(BaseConfiguration):
    INVOKER = invoker
    WORKERS = 2
"""


class Shop:
    """An application in a folder, whose consumer runs with ``--reload``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder}/queue.db"
        self.invoker = Invoker.from_url(self.url, registry=CommandRegistry())
        self.calls = {name: queue_command(self.invoker, name=name)(lambda: None) for name in ("price", "wait")}
        self.write("shop.py", SHOP)
        self.write("prices.py", "PRICE = 1\n")
        self.process = None

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def run(self, *options: str) -> None:
        words = [sys.executable, "-m", "huey_core", "consumer", "shop.Configuration", "--reload", *options]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                words,
                cwd=self.folder,
                env={**os.environ, "SHOP_URL": self.url},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def await_log(self, text: str, times: int = 1) -> None:
        await_condition(lambda: self.log().count(text) >= times, f"{text!r} is in the log {times} times")

    def enqueue(self, name: str):
        return self.calls[name]()

    def call(self, name: str):
        return self.enqueue(name).get(blocking=True, timeout=60)

    def close(self) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.invoker.close()


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path)
    yield shop
    shop.close()


def test_a_change_starts_the_consumer_again_with_the_new_source(shop):
    shop.run()
    shop.await_log(" ready\n")
    before, pid = shop.call("price")

    shop.write("prices.py", "PRICE = 2\n")
    shop.await_log(" ready\n", times=2)
    after, other_pid = shop.call("price")

    assert (before, after) == (1, 2)
    assert pid != other_pid
    assert "prices.py changed: starting the consumer again" in shop.log()


def test_what_runs_is_finished_before_the_consumer_starts_again(shop):
    shop.run()
    handle = shop.enqueue("wait")
    await_condition((shop.folder / "began").exists, "the command has begun")

    shop.write("prices.py", "PRICE = 2\n")
    shop.await_log("stopping (SIGTERM)")
    (shop.folder / "go").touch()

    assert handle.get(blocking=True, timeout=60) == 1
    shop.await_log(" ready\n", times=2)


def test_a_file_that_cannot_be_imported_is_shown_and_the_next_change_is_tried(shop):
    shop.run()
    shop.await_log(" ready\n")

    shop.write("prices.py", "PRICE = 1 / 0\n")
    shop.await_log("waiting for a file to change")
    shown = shop.log()
    shop.write("prices.py", "PRICE = 3\n")

    assert "ZeroDivisionError" in shown
    assert shop.call("price")[0] == 3


def test_a_consumer_that_cannot_start_at_first_is_waited_for_too(shop):
    shop.write("prices.py", "PRICE =\n")
    shop.run()
    shop.await_log("waiting for a file to change")

    shop.write("prices.py", "PRICE = 4\n")

    assert shop.call("price")[0] == 4


def test_a_change_elsewhere_is_none_and_directories_may_be_named(shop, tmp_path_factory):
    library = tmp_path_factory.mktemp("library")
    shop.run("--reload-dir", str(library))
    shop.await_log(" ready\n")

    shop.write("prices.py", "PRICE = 2\n")
    (library / "new.py").touch()
    shop.await_log(" ready\n", times=2)

    assert "prices.py changed" not in shop.log()
    assert "new.py changed" in shop.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_to_end_is_passed_on_and_the_exit_code_is_that_of_the_consumer(shop, number):
    shop.run()
    shop.await_log(" ready\n")

    shop.process.send_signal(number)

    assert shop.process.wait(60) == 0
    assert f"stopping ({number.name})" in shop.log()


def test_a_signal_to_end_is_obeyed_while_a_change_is_waited_for(shop):
    shop.write("prices.py", "PRICE =\n")
    shop.run()
    shop.await_log("waiting for a file to change")

    shop.process.send_signal(signal.SIGTERM)

    assert shop.process.wait(60) == 0


def test_hangup_starts_the_consumer_again(shop):
    shop.run()
    shop.await_log(" ready\n")

    shop.process.send_signal(signal.SIGHUP)

    shop.await_log(" ready\n", times=2)


def test_a_consumer_whose_supervisor_was_killed_ends_in_order(shop):
    shop.run()
    shop.await_log(" ready\n")
    _, pid = shop.call("price")

    os.kill(shop.process.pid, signal.SIGKILL)
    shop.process.wait()

    shop.await_log("stopped: Stats")
    await_condition(lambda: not Path(f"/proc/{pid}/stat").exists() or is_zombie(pid), "the consumer has ended")


def is_zombie(pid):
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_a_wrong_command_line_is_no_matter_of_source(shop):
    shop.run("--threads", "0")

    assert shop.process.wait(60) == 2

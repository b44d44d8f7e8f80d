"""An application for the worker pool 'process', imported by the test and by each of the processes."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from pathlib import Path

from huey_core import CommandCancelled, CommandRegistry, CommandRetry, Invoker, current_command, queue_command
from huey_core.consumer import Consumer
from huey_core.hookspecs import hookimpl


def note(file: str, *words: object) -> None:
    """Write a line into a file, from any process."""
    with open(file, "a", encoding="utf-8") as lines:
        lines.write(" ".join(map(str, words)) + "\n")


def lines_of(file: str) -> list[list[str]]:
    """What was written into it, in words."""
    return [line.split() for line in Path(file).read_text().splitlines()] if Path(file).exists() else []


class Hooks:
    """Notes which hooks are called where, and dies in one when a command's headers say so."""

    @hookimpl
    def huey_before_execute(self, command):
        if command.headers.get("die") == "before":
            os.kill(os.getpid(), signal.SIGKILL)

    @hookimpl
    def huey_command_succeeded(self, command):
        if command.headers.get("die") == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        while "gate" in command.headers and not os.path.exists(command.headers["gate"]):
            note(f"{command.headers['gate']}.began", os.getpid())
            time.sleep(0.02)
        if "log" in command.headers:
            note(command.headers["log"], "succeeded", os.getpid())

    @hookimpl
    def huey_worker_start(self, consumer, worker):
        assert (consumer.config.worker_type, consumer.invoker.queue.name) == ("process", "huey")
        note(os.environ.get("PROCESS_APP_LOG", os.devnull), "worker_start", os.getpid(), worker, consumer.name)

    @hookimpl
    def huey_worker_stop(self, consumer, worker):
        note(os.environ.get("PROCESS_APP_LOG", os.devnull), "worker_stop", os.getpid(), worker, consumer.name)


registry = CommandRegistry()
invoker = Invoker.from_url("memory://process-app/?max_deliveries=2", registry=registry, plugins=[Hooks()])
"""What the tests call. Each process has a memory of its own, and works for that of the test."""


def forget_all() -> None:
    """Empty the queues, in which a consumer that was stopped may have left what another test would then run."""
    for name in ("huey", "mail"):
        invoker.on_queue(name).flush()


def make_consumer(**settings) -> Consumer:
    """Make a consumer with the worker pool."""
    defaults = {"timeout_grace": 0.1, "periodic": False, "application": "process_app.invoker"}
    return Consumer(invoker, worker_type="process", **{**defaults, **settings})


def make_invoker(queue_name: str) -> Invoker:
    """The way for those who make it in a function, as far as files let it that the environment names."""
    if Path(held := os.environ.get("PROCESS_APP_HELD", "no such file")).exists():
        note(f"{held}.began", os.getpid())
        while Path(held).exists():
            time.sleep(0.002)
    if Path(os.environ.get("PROCESS_APP_BROKEN", "no such file")).exists():
        # As a client does that was made before the error.
        threading.Thread(target=time.sleep, args=(600,)).start()
        raise RuntimeError(f"the application of {queue_name} is broken")
    return invoker


@queue_command(invoker)
def pid() -> int:
    """Where it runs."""
    return os.getpid()


@queue_command(invoker, queue="mail")
def mail_pid() -> int:
    """Where it runs, of another queue."""
    return os.getpid()


@queue_command(invoker)
def checks_assertions() -> bool:
    """Whether Python runs without -O."""
    return __debug__


@queue_command(invoker)
def exit_at_once(code: int) -> None:
    """End the process that runs it."""
    os._exit(code)


@queue_command(invoker)
def wait_for(file: str) -> int:
    """Wait until a file exists."""
    note(f"{file}.began", os.getpid())
    while not os.path.exists(file):
        time.sleep(0.002)
    return os.getpid()


@queue_command(invoker)
def ask(retries: int) -> int:
    """Ask to be tried again so many times."""
    if current_command().retry_count < retries:
        raise CommandRetry(0)
    return current_command().retry_count


@queue_command(invoker, retries=3)
def cancel_itself() -> None:
    """End as cancelled."""
    raise CommandCancelled("nothing to do")


@queue_command(invoker, timeout=0.1)
def sleep_in_c() -> None:
    """Do not come back from C code."""
    ctypes.PyDLL(None).sleep(600)


@queue_command(invoker)
def hold_everything(file: str) -> None:
    """Do not come back from C code that keeps Python from running any other thread."""
    note(file, os.getpid())
    ctypes.PyDLL(None).sleep(600)


@queue_command(invoker)
def take_memory(mebibytes: int) -> int:
    """Keep so much memory."""
    globals()["kept"] = bytearray(os.urandom(2**20) * mebibytes)
    return os.getpid()


@queue_command(invoker)
def followed() -> str:
    """Have another command follow."""
    current_command().then(pid.command())
    return "followed"

"""The application of the end-to-end tests. Every start and every end of a command is a line in the folder's journal."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from huey_core import (
    CommandRegistry,
    Invoker,
    PeriodicQueueCommand,
    QueueCommand,
    current_command,
    every,
    hookimpl,
    periodic_command,
    queue_command,
)
from huey_core.commands import Execution, Join
from huey_core.consumer import BaseConfiguration, Consumer
from huey_core.consumer.policy import Policy

FOLDER = Path(os.environ["E2E_FOLDER"])

for name, value in json.loads(os.environ.get("E2E_CONSTANTS", "{}")).items():
    module_name, _, constant = name.rpartition(".")
    module = importlib.import_module(module_name)
    assert hasattr(module, constant), name
    setattr(module, constant, value)

# The command line has no options for these.
Consumer.__init__.__kwdefaults__["policy"] = Policy(**json.loads(os.environ.get("E2E_POLICY", "{}")))


class Journal:
    """A plugin that writes down which process ran what, so that a killed one leaves its traces."""

    @hookimpl(wrapper=True)
    def huey_execute(self, command: QueueCommand) -> Generator[None, Execution, Execution]:
        self._note("started", command)
        execution = yield
        self._note("finished", command)
        return execution

    def _note(self, event: str, command: QueueCommand) -> None:
        if command.command_name != "main.swallow":
            entry = {
                "event": event,
                "command": command.command_name.removeprefix("main."),
                "task_id": command.task_id,
                "attempt": current_command().delivery_count,
                "pid": os.getpid(),
                "parent": os.getppid(),
                "at": time.monotonic(),
                "due": command.tick_at,
            }
            # One line in one write, so that processes do not mix theirs.
            with (FOLDER / "journal").open("a") as file:
                file.write(json.dumps(entry) + "\n")


class Groups:
    """A plugin that joins commands whose headers name a group, and lets ``add`` follow it."""

    @hookimpl
    def huey_follow_ups(self, message_id: str, headers: Mapping[str, str]) -> list[QueueCommand | Join]:
        if "group" not in headers:
            return []
        return [Join(group=headers["group"], member=message_id, of=int(headers["of"]), then=add.command(1, 2))]


invoker = Invoker.from_env(plugins=[Journal(), Groups()], registry=CommandRegistry())


@queue_command(invoker)
def add(a, b):
    return a + b


@queue_command(invoker)
def work(seconds):
    time.sleep(seconds)
    return seconds


@queue_command(invoker)
def wait_for_file(name):
    """Run until the test lets it end."""
    while not (FOLDER / name).exists():
        time.sleep(0.005)
    return os.getpid()


@queue_command(invoker)
def walk(name):
    """Say of three steps that they are done, and of each further one when the test has seen the one before."""
    for step in range(1, 4):
        current_command().progress(step, 3, name)
        wait_for_file.function(f"{name}{step}")


@queue_command(invoker)
async def walk_in_coroutine(name):
    for step in range(1, 4):
        current_command().progress(step, 3, name)
        await wait_for_file_in_coroutine.function(f"{name}{step}")


@queue_command(invoker)
async def work_in_coroutine(seconds):
    await asyncio.sleep(seconds)
    return seconds


@queue_command(invoker)
async def wait_for_file_in_coroutine(name):
    """Run until the test lets it end, and let others run meanwhile where that is possible."""
    while not (FOLDER / name).exists():
        await asyncio.sleep(0.005)
    return os.getpid()


@contextmanager
def noted(name):
    """Leave a file with the process when the block has begun, and one with the name of what was raised in it."""
    (FOLDER / f"{name}.begun").write_text(str(os.getpid()))
    try:
        yield
    except BaseException as error:
        (FOLDER / f"{name}.{type(error).__name__}").touch()
        raise


@queue_command(invoker)
def loop_in_python(name):
    with noted(name):
        while True:
            pass


@queue_command(invoker)
def compute_in_c(name):
    with noted(name):
        # It releases the GIL, as other threads could not even ask for an interruption otherwise.
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)


@queue_command(invoker)
def sleep(name):
    with noted(name):
        time.sleep(3600)


@queue_command(invoker)
async def wait_in_coroutine(name):
    with noted(name):
        await asyncio.sleep(3600)


@queue_command(invoker)
def wait_for_program(name):
    program = subprocess.Popen(["sleep", "3600"])
    (FOLDER / "programs").open("a").write(f"{program.pid}\n")
    with noted(name):
        program.wait()


@queue_command(invoker)
def signal_this_thread():
    """Have SIGTERM come to the thread that runs this, as the system may choose any one."""
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)


@queue_command(invoker)
def leave_a_thread_behind(name):
    threading.Thread(target=wait_for_file.function, args=(name,), daemon=False).start()
    return True


@queue_command(invoker)
def kill_the_worker():
    os.kill(os.getpid(), signal.SIGKILL)


@queue_command(invoker)
def hand_on(number):
    """Let another command follow, and be killed in the first two deliveries, before that can be written."""
    current_command().then(add.command(number, 1))
    if current_command().delivery_count < 3:
        os.kill(os.getpid(), signal.SIGKILL)


@queue_command(invoker)
def join_in(kills):
    """Kill the consumer in as many deliveries, and end."""
    if current_command().delivery_count <= kills:
        os.kill(os.getpid(), signal.SIGKILL)


@queue_command(invoker, store_result=False)
def swallow(text):
    """Be given something large."""


@queue_command(invoker)
def measure(text):
    return len(text)


def every_minute(at):
    with (FOLDER / "asked").open("a") as file:
        file.write(f"{os.getpid()} {at:%H:%M}\n")
    return True


@periodic_command(invoker, every_minute)
def tick():
    """Run in every minute."""


if "E2E_SECONDS" in os.environ:

    class Second(PeriodicQueueCommand):
        """Note which second it is for, and by which message."""

        command_name = "main.second"
        schedule = every(seconds=1)
        missed = "all"

        def execute(self):
            with (FOLDER / "seconds").open("a") as file:
                file.write(f"{self.tick_at} {self.task_id}\n")

    invoker.registry.register(Second)


if "E2E_OVERLAP" in os.environ:

    @periodic_command(invoker, every(seconds=1), overlap="skip")
    def take_longer_than_a_second():
        time.sleep(1.2)


class Configuration(BaseConfiguration):
    INVOKER = invoker
    PERIODIC = False
    UNREADABLE_DELAY = 0.05
    MAX_DELAY = 0.5


class Impatient(Configuration):
    # Long enough for a busy machine to raise an exception where that is possible.
    TIMEOUT_GRACE = 1.0


class Misspelt(BaseConfiguration):
    INVOKER = invoker
    TREADS = 4

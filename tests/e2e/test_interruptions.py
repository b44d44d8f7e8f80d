"""What each worker pool can interrupt: every cell of the table in the documentation, in real consumers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from deployment import Deployment, await_condition, whole_lines
from huey_core import AsyncData
from huey_core.exceptions import CommandCancelled, CommandError

TABLE = json.loads((Path(__file__).parents[2] / "docs" / "interruptions.json").read_text())

COMMANDS = {
    "a loop of Python": "loop_in_python",
    "a computation in C": "compute_in_c",
    "a sleep": "sleep",
    "an await": "wait_in_coroutine",
    "a wait for a subprocess": "wait_for_program",
}

WORKERS = {"process": 5}
"""How many commands run at once, if not all that are tested."""

LIMIT = 1.5
"""Seconds in which a command surely comes to what it is to be interrupted in, beside others that keep a core busy."""

RAISED = {
    "timeout": ("CommandTimeout", "CancelledError"),
    "cancelled": ("CommandInterrupted", "CancelledError"),
    "SIGTERM": ("DeliveryLost", "CancelledError"),
}


def is_running(pid: int) -> bool:
    """Whether a process goes on, and is no more than not yet buried."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


class Cell:
    """One command that is interrupted in one way."""

    def __init__(self, deployment: Deployment, doing: str, how: str) -> None:
        self.deployment, self.doing, self.how = deployment, doing, how
        self.name = f"{COMMANDS[doing]}-{how}"
        command = getattr(deployment.main, COMMANDS[doing])
        self.call: AsyncData[object] = command.using(timeout=LIMIT if how == "timeout" else None)(self.name)

    def has_begun(self) -> bool:
        return self._file("begun").exists()

    def is_interrupted(self) -> bool:
        return any(self._file(error).exists() for error in RAISED[self.how])

    def found(self, log: Callable[[], str]) -> str | None:
        """What became of it, as far as that is known yet."""
        ended = self._ended()
        if self.is_interrupted():
            return "interrupted" if ended else None
        if ended:
            return "killed"
        # Whoever interrupts has noticed in the meantime that it was in vain.
        return "goes on" if f"message {self.call.task_id} was interrupted by" in log() else None

    def found_after(self, consumer: int) -> str:
        """What became of it, now that the process of its consumer has ended."""
        if self.is_interrupted():
            return "interrupted"
        process = int(self._file("begun").read_text())
        if process == consumer:
            return "goes on"
        await_condition(lambda: not is_running(process), f"the process of {self.name} has ended")
        return "killed"

    def _ended(self) -> bool:
        """Whether there is a result that says how it was ended."""
        try:
            assert self.call.get() is None
        except CommandCancelled:
            return self.how == "cancelled"
        except CommandError as error:
            return self.how == "timeout" and error.type_name.endswith(".CommandTimeout")
        return False

    def _file(self, event: str) -> Path:
        return self.deployment.folder / f"{self.name}.{event}"


def interrupted_while_it_runs(deployment: Deployment, log: Callable[[], str]) -> dict[tuple[str, str], str]:
    cells = [Cell(deployment, doing, how) for doing in COMMANDS for how in ("timeout", "cancelled")]
    waiting = [cell for cell in cells if cell.how == "cancelled"]

    def all_found() -> bool:
        for cell in [cell for cell in waiting if cell.has_begun()]:
            cell.call.revoke(terminate=True)
            waiting.remove(cell)
        return all(cell.found(log) for cell in cells)

    with suppress(AssertionError):
        await_condition(all_found, "it is known of all commands what became of them")
    return {(cell.doing, cell.how): cell.found(log) or "unknown" for cell in cells}


@pytest.mark.parametrize("pool", sorted(TABLE))
def test_the_table_says_what_is_interrupted(deployment: Deployment, pool: str) -> None:
    # Half of the last steps is what an exception has to come, on a machine that may be busy.
    deployment.policy |= {"long_run": 0.05, "last_steps": 2.0}
    options = ("--worker-type", pool, "--workers", str(WORKERS.get(pool, 15)), "--shutdown-timeout", "0.2")
    consumer = deployment.start(*options, configuration="main.Impatient")
    try:
        found = interrupted_while_it_runs(deployment, consumer.log)
        last = [Cell(deployment, doing, "SIGTERM") for doing in COMMANDS]
        await_condition(lambda: all(cell.has_begun() for cell in last), "all commands have begun")

        assert consumer.terminate() == 0
    finally:
        for pid in whole_lines(deployment.folder / "programs"):
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    for cell in last:
        found[cell.doing, "SIGTERM"] = cell.found_after(consumer.pid)
    rows = {doing: {how: found[doing, how] for how in RAISED} for doing in COMMANDS}
    assert rows == TABLE[pool], consumer.log()
    assert deployment.queue.counts().ready == len(last) + sum(
        cell == "goes on" for (_, how), cell in found.items() if how != "SIGTERM"
    )

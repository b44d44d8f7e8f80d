"""A process and its children, and theirs: which there are, and signals to each of them.

A process group would not do, because a server may give each of its children a group of its own, as PostgreSQL does.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable, Iterator

__all__ = ["Process", "family_of", "send", "still_running"]

PROC: Final = Path("/proc")


class Process(NamedTuple):
    """A process; no other one ever is equal to it.

    Attributes:
        pid: Its id, which another process may be given once it has ended.
        begun: When it was started, in a form that the system chooses.
    """

    pid: int
    begun: str


def family_of(pid: int) -> list[Process]:
    """Return the process of this id, its children and theirs, as far as they run; the parents before their children."""
    running = dict(_running())
    family = [process for process in running if process.pid == pid]
    for member in family:
        family += [process for process, parent in running.items() if parent == member.pid]
    return family


def still_running(processes: Iterable[Process]) -> list[Process]:
    """Return those of the processes that have not ended."""
    running = dict(_running())
    return [process for process in processes if process in running]


def send(number: signal.Signals, processes: Iterable[Process]) -> None:
    """Send a signal to each of the processes that has not ended."""
    for process in still_running(processes):
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def _running() -> Iterator[tuple[Process, int]]:
    """Look for the processes of the machine that have not ended, each with the id of its parent."""
    for pid, state, parent, begun in _from_proc() if (PROC / "self" / "stat").exists() else _from_ps():
        # One that has ended stays in the list until its parent looks, which in a container may be never.
        if state not in {"Z", "X"}:
            yield Process(int(pid), begun), int(parent)


def _from_proc() -> Iterator[tuple[str, str, str, str]]:
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                # The name of the program comes second, in parentheses, and may have any character in it.
                fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
                yield folder.name, fields[0], fields[1], fields[19]


def _from_ps() -> Iterator[tuple[str, str, str, str]]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,stat=,ppid=,lstart="],  # noqa: S607 - where it is differs from system to system
        check=True,
        capture_output=True,
        text=True,
    )
    for line in listed.stdout.splitlines():
        pid, state, parent, begun = line.split(maxsplit=3)
        yield pid, state[0], parent, begun

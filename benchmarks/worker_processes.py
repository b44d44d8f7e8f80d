"""Measure the worker pool ``process`` beside threads, and what a killed process costs its neighbours.

    python benchmarks/worker_processes.py [--rounds 3]

The pools take turns, so that noise of the machine hits them alike. A consumer is a process of its own, and its start is
not counted. A private server is started, unless ``HUEY_BENCHMARK_URL`` names one whose queue may be emptied.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from huey_core import Invoker, queue_command
from huey_core.consumer import BaseConfiguration

if TYPE_CHECKING:
    from collections.abc import Iterator

URL: Final = "HUEY_BENCHMARK_URL"

# The consumers and their processes import this file.
invoker = Invoker.from_url(os.environ.get(URL, "redis://localhost/0"))


class Configuration(BaseConfiguration):
    """What the consumers are started with."""

    INVOKER = invoker
    PERIODIC = False
    LOGLEVEL = "CRITICAL"


@queue_command(invoker)
def same(value: int) -> int:
    """Do nothing."""
    return value


@queue_command(invoker)
def compute(seconds: float) -> None:
    """Keep a core busy."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


@queue_command(invoker)
def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


@queue_command(invoker)
def die() -> None:
    """End the process, the first time."""
    if invoker.task_store is not None and not isinstance(invoker.task_store.get("died"), bytes):
        invoker.task_store.put("died", b"1")
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def consumer(pool: str, workers: int) -> Iterator[None]:
    """Run a consumer in another process."""
    words = ["-m", "huey_core", "consumer", "worker_processes.Configuration"]
    process = subprocess.Popen(
        [sys.executable, *words, "--worker-type", pool, "--workers", str(workers)], cwd=Path(__file__).parent
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def waiting() -> int:
    """How many commands have not ended."""
    counts = invoker.leased_queue.counts() if invoker.leased_queue is not None else None
    return 0 if counts is None else counts.ready + counts.running


def drain(pool: str, workers: int, command: Any, argument: object, count: int) -> float:
    """Return how many commands a second a consumer runs of those that wait; the first twentieth is not counted."""
    invoker.enqueue_many([command.command(argument) for _ in range(count)])
    with consumer(pool, workers):
        while waiting() > 0.95 * count:
            time.sleep(0.002)
        began, counted = time.perf_counter(), waiting()
        while waiting():
            # Seldom, because on two cores this process takes from the others what it measures.
            time.sleep(0.1)
        return counted / (time.perf_counter() - began)


def latencies(seconds: float, *, kill: bool) -> list[float]:
    """Call a command every 50 ms, of which each takes 10 ms, and return how long each took from call to result."""
    found, until = [], time.monotonic() + seconds
    half = until - seconds / 2
    while time.monotonic() < until:
        if kill and time.monotonic() > half:
            die()
            kill = False
        began = time.perf_counter()
        sleep(0.01).get(blocking=True, timeout=60)
        found.append(time.perf_counter() - began)
        time.sleep(0.05)
    return found


def added_delay(seconds: float) -> float:
    """Return how much longer a neighbour's call takes at the most when one of two processes is killed."""
    if invoker.task_store is not None:
        invoker.task_store.flush()
    with consumer("process", 2):
        same(0).get(blocking=True, timeout=60)
        time.sleep(1)
        before = latencies(seconds, kill=False)
        return max(latencies(seconds, kill=True)) - statistics.median(before)


def ratios(name: str, target: str, rates: dict[str, list[float]]) -> str:
    """Write a line of the report: the median rates, and the median of the ratios of each round."""
    (base, first), (other, second) = rates.items()
    each = [mine / theirs for mine, theirs in zip(second, first, strict=True)]
    shown = f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"
    medians = f"{base} {statistics.median(first):,.0f}/s, {other} {statistics.median(second):,.0f}/s"
    return f"{name}: {medians}; ratio {shown}, to be {target}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commands", type=int, default=20_000, help="how many that do nothing are drained")
    given = parser.parse_args()
    if URL not in os.environ:
        from huey_redis.testing import RedisServer

        with RedisServer() as server:
            # In another process, because the invoker above was made before the server.
            sys.exit(subprocess.call([sys.executable, *sys.argv], env={**os.environ, URL: server.url()}))
    measure(given.rounds, given.commands)


def measure(rounds: int, commands: int) -> None:
    """Measure and print, on the server of the environment."""
    drains: dict[str, list[float]] = {"4 threads": [], "1 process": []}
    computing: dict[str, list[float]] = {"1 thread": [], "2 processes": []}
    delays = []
    for _ in range(rounds):
        drains["4 threads"].append(drain("thread", 4, same, 1, commands))
        drains["1 process"].append(drain("process", 1, same, 1, commands))
        computing["1 thread"].append(drain("thread", 1, compute, 0.01, 400))
        computing["2 processes"].append(drain("process", 2, compute, 0.01, 400))
        delays.append(added_delay(3.0))
    print(ratios("commands that do nothing", "at least 0.7", drains))
    print(ratios("10 ms of computing", "at least 1.8", computing))
    worst = f"{statistics.median(delays):.3f} s (at most {max(delays):.3f} s)"
    print(f"a killed process: neighbours wait {worst} longer, to be under 0.5 s")


if __name__ == "__main__":
    main()

"""Measure the worker pool ``asyncio``: beside threads, and with commands that wait, beside other task queues.

    python benchmarks/event_loop.py [--rounds 3]

Contestants take turns, so that noise of the machine hits them alike. A consumer is a process of its own, and its start
is not counted. Of the peers ``arq``, ``saq`` and ``taskiq`` (``taskiq-redis``) those take part that are installed. A
private server is started, unless ``HUEY_BENCHMARK_URL`` names one whose databases 0 to 4 may be emptied.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import redis

from huey_core import Invoker, queue_command
from huey_core.consumer import BaseConfiguration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URL: Final = "HUEY_BENCHMARK_URL"
ENDS: Final = "HUEY_BENCHMARK_ENDS"
COUNT: Final = "HUEY_BENCHMARK_COUNT"

SECONDS: Final = 0.1
AT_ONCE: Final = 500
PATIENCE: Final = 300.0

server: Final = os.environ.get(URL, "redis://localhost").rstrip("/")
ends: Final[list[float]] = []

# The consumers import this file.
invoker = Invoker.from_url(f"{server}/0")


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
async def same_in_loop(value: int) -> int:
    """Do nothing, as a coroutine."""
    return value


async def wait(value: int) -> int:
    """Wait, and note when that was over; the last one writes it all down."""
    await asyncio.sleep(SECONDS)
    ends.append(time.perf_counter())
    if len(ends) == int(os.environ.get(COUNT, "0")):
        Path(os.environ[ENDS]).write_text(json.dumps(ends))
    return value


waiting_command = queue_command(invoker, name="wait")(wait)


async def arq_wait(ctx: dict[str, Any], value: int) -> int:
    """The same for arq, which gives a context."""
    return await wait(value)


async def saq_wait(ctx: dict[str, Any], *, value: int) -> int:
    """The same for saq."""
    return await wait(value)


if importlib.util.find_spec("arq"):
    from arq.connections import RedisSettings

    class ArqWorker:
        """The settings of arq. It looks for jobs twice a second unless it is told otherwise."""

        functions = (arq_wait,)
        redis_settings = RedisSettings.from_dsn(f"{server}/1")
        max_jobs = AT_ONCE
        poll_delay = 0.01


if importlib.util.find_spec("saq"):
    from saq import Queue

    saq_queue = Queue.from_url(f"{server}/2")
    saq_settings = {"queue": saq_queue, "functions": [saq_wait], "concurrency": AT_ONCE}


if importlib.util.find_spec("taskiq_redis"):
    from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

    taskiq_results: Any = RedisAsyncResultBackend(f"{server}/4")
    taskiq_broker = ListQueueBroker(f"{server}/3").with_result_backend(taskiq_results)
    taskiq_wait = taskiq_broker.task(task_name="wait")(wait)


async def send_arq(count: int) -> None:
    """Send commands to arq."""
    from arq import create_pool

    pool = await create_pool(ArqWorker.redis_settings)
    await asyncio.gather(*(pool.enqueue_job("arq_wait", number) for number in range(count)))
    await pool.aclose()


async def send_saq(count: int) -> None:
    """Send commands to saq."""
    await saq_queue.connect()
    for number in range(count):
        await saq_queue.enqueue("saq_wait", value=number)
    await saq_queue.disconnect()


async def send_taskiq(count: int) -> None:
    """Send commands to taskiq."""
    await taskiq_broker.startup()
    for number in range(count):
        await taskiq_wait.kiq(number)
    await taskiq_broker.shutdown()


def send_huey(count: int) -> None:
    """Send commands to huey-core."""
    invoker.enqueue_many([waiting_command.command(number) for number in range(count)])


OURS: Final = ["huey_core", "consumer", "event_loop.Configuration", "--worker-type", "asyncio"]
CONTESTANTS: Final[dict[str, tuple[str, Callable[[int], object], list[str]]]] = {
    "huey-core": ("huey_core", send_huey, [*OURS, "--workers", str(AT_ONCE)]),
    "huey-core, uvloop": ("uvloop", send_huey, [*OURS, "--workers", str(AT_ONCE), "--event-loop", "uvloop"]),
    "arq": ("arq", lambda count: asyncio.run(send_arq(count)), ["arq", "event_loop.ArqWorker"]),
    "saq": ("saq", lambda count: asyncio.run(send_saq(count)), ["saq", "event_loop.saq_settings"]),
    "taskiq": (
        "taskiq_redis",
        lambda count: asyncio.run(send_taskiq(count)),
        ["taskiq", "worker", "event_loop:taskiq_broker", "--workers", "1", "--max-async-tasks", str(AT_ONCE)],
    ),
}


@contextmanager
def program(words: list[str], **environment: str) -> Iterator[None]:
    """Run a consumer in another process."""
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def empty() -> None:
    """Empty the databases."""
    for number in range(5):
        redis.Redis.from_url(f"{server}/{number}").flushdb()


def left() -> int:
    """How many commands of huey-core have not ended."""
    counts = invoker.leased_queue.counts() if invoker.leased_queue is not None else None
    return 0 if counts is None else counts.ready + counts.running


def drain(pool: str, command: Any, count: int) -> float:
    """Return how many commands a second a consumer runs of those that wait; the first twentieth is not counted."""
    empty()
    invoker.enqueue_many([command.command(1) for _ in range(count)])
    with program(["huey_core", "consumer", "event_loop.Configuration", "--worker-type", pool]):
        while left() > 0.95 * count:
            time.sleep(0.002)
        began, counted = time.perf_counter(), left()
        while left():
            time.sleep(0.005)
        return counted / (time.perf_counter() - began)


def rate_of_waiting(name: str, count: int) -> float:
    """Return how many commands a second end that wait; the first and the last that run at once are not counted."""
    _, send, words = CONTESTANTS[name]
    empty()
    send(count)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ends"
        with program(words, **{ENDS: str(path), COUNT: str(count)}):
            until = time.monotonic() + PATIENCE
            while not (path.exists() and path.stat().st_size):
                if time.monotonic() > until:
                    raise TimeoutError(f"{name} has not run {count} commands in {PATIENCE:g} s")
                time.sleep(0.05)
            time.sleep(0.1)
        noted = json.loads(path.read_text())
    return (count - 2 * AT_ONCE) / float(noted[-AT_ONCE] - noted[AT_ONCE])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commands", type=int, default=20_000, help="how many there are of each kind")
    given = parser.parse_args()
    if URL not in os.environ:
        from huey_redis.testing import RedisServer

        with RedisServer() as private:
            # In another process, because the invoker above was made before the server.
            sys.exit(subprocess.call([sys.executable, *sys.argv], env={**os.environ, URL: private.url(0)[:-2]}))
    measure(given.rounds, given.commands)


def measure(rounds: int, commands: int) -> None:
    """Measure and print, on the server of the environment."""
    drains: dict[str, list[float]] = {"thread": [], "asyncio": []}
    waiting: dict[str, list[float]] = {
        name: [] for name, (module, _, _) in CONTESTANTS.items() if importlib.util.find_spec(module)
    }
    for _ in range(rounds):
        drains["thread"].append(drain("thread", same, commands))
        drains["asyncio"].append(drain("asyncio", same_in_loop, commands))
        for name, rates in waiting.items():
            rates.append(rate_of_waiting(name, commands))
    each = [loop / threads for loop, threads in zip(drains["asyncio"], drains["thread"], strict=True)]
    medians = ", ".join(f"{name} {statistics.median(rates):,.0f}/s" for name, rates in drains.items())
    shown = f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"
    print(f"commands that do nothing: {medians}; ratio {shown}, to be at least 0.8")
    ideal = AT_ONCE / SECONDS
    for name, rates in waiting.items():
        share = f"{statistics.median(rates) / ideal:.0%} ({min(rates) / ideal:.0%} to {max(rates) / ideal:.0%})"
        print(f"{AT_ONCE} at once that wait {SECONDS:g} s: {name} {statistics.median(rates):,.0f}/s, {share} of ideal")


if __name__ == "__main__":
    main()

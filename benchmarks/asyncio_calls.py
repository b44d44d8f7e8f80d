"""Measure calls from asyncio: many at once beside one after another, and for how long the event loop is held up.

    python benchmarks/asyncio_calls.py [--calls 1000] [--rounds 5]

In each round ``add.acall()`` is awaited so many times in a loop, and then by as many tasks at once; the ratio is taken
within a round. A task that wakes every millisecond notes how late it is: in both, while the server is stopped, while
one caller enqueues 20 times as many commands with ``aenqueue_many``, and, to compare, while another thread does nothing
but compute. Python collects no garbage meanwhile, since that stops everything. It starts a Redis server of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import time
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from huey_core import Invoker, queue_command
from huey_redis.testing import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from huey_core import AsyncData
    from huey_core.backends import BaseDataStore
    from huey_core.decorators import CommandFunction

    Add = CommandFunction[[int, int], int, AsyncData[int]]

BEAT: Final = 0.001
SECONDS: Final = 0.3
MANY: Final = 20


class Beats:
    """How late a task was that was to wake every millisecond, in seconds."""

    def __init__(self) -> None:
        self.latest = 0.0

    @asynccontextmanager
    async def noted(self) -> AsyncIterator[None]:
        """Note it while the block is executed."""
        task = asyncio.create_task(self._beat())
        await asyncio.sleep(0)
        try:
            yield
        finally:
            # What the last turn has cost is noted as well.
            await asyncio.sleep(2 * BEAT)
            task.cancel()

    async def _beat(self) -> None:
        while True:
            due = time.perf_counter() + BEAT
            await asyncio.sleep(BEAT)
            self.latest = max(self.latest, time.perf_counter() - due)


async def one_after_another(add: Add, calls: int) -> None:
    """Await calls in a loop."""
    for number in range(calls):
        await add.acall(number, 1)


async def all_at_once(add: Add, calls: int) -> None:
    """Await calls by as many tasks."""
    await asyncio.gather(*(add.acall(number, 1) for number in range(calls)))


def compute() -> None:
    """Keep a thread busy."""
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        pass


async def measure(invoker: Invoker[BaseDataStore], server: RedisServer, calls: int, rounds: int) -> None:
    """Measure and print."""

    @queue_command(invoker, name="add")
    def add(first: int, second: int) -> int:
        return first + second

    async def stopped() -> None:
        await asyncio.to_thread(server.suspend)
        calling = asyncio.create_task(all_at_once(add, calls))
        await asyncio.sleep(SECONDS)
        await asyncio.to_thread(server.resume)
        await calling

    async def very_many() -> None:
        await invoker.aenqueue_many(add.command(number, 1) for number in range(MANY * calls))

    async def timed(what: str, action: Callable[[], Awaitable[object]]) -> float:
        beats = Beats()
        gc.collect()
        gc.disable()
        async with beats.noted():
            began = time.perf_counter()
            await action()
            seconds = time.perf_counter() - began
        gc.enable()
        lateness[what].append(beats.latest)
        invoker.flush()
        return seconds

    lateness: dict[str, list[float]] = defaultdict(list)
    loops, tasks = [], []
    # The driver, the plugins and the threads are there then.
    await all_at_once(add, 10)
    for _ in range(rounds):
        loops.append(await timed("one after another", lambda: one_after_another(add, calls)))
        tasks.append(await timed("all at once", lambda: all_at_once(add, calls)))
        await timed("while the server is stopped", stopped)
        await timed(f"by {MANY * calls:,} commands", very_many)
        await timed("by another thread that computes", lambda: asyncio.to_thread(compute))
    ratios = [together / alone for together, alone in zip(tasks, loops, strict=True)]
    print(f"one after another: {calls / statistics.median(loops):,.0f} calls a second")
    print(f"all at once: {calls / statistics.median(tasks):,.0f} calls a second")
    spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    print(f"all at once takes {spread} of the time of one after another, to be at most 0.33")
    for what, found in lateness.items():
        print(f"the loop is held up {what}: {statistics.median(found) * 1000:.1f} ms, {max(found) * 1000:.1f} at most")


def main() -> None:
    """Measure and print, on a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000, help="how many calls there are in a row, and at once")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with RedisServer() as server:
        invoker = Invoker.from_url(server.url())
        asyncio.run(measure(invoker, server, given.calls, given.rounds))
        invoker.close()


if __name__ == "__main__":
    main()

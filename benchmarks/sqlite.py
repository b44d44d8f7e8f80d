"""Measure what huey-sqlite does a second, with each setting of ``synchronous``.

    python benchmarks/sqlite.py [--folder DIR] [--rounds 5]

The settings take turns, so that noise of the machine hits them alike. A drain claims messages in batches and settles
each batch with results, in the same file. The numbers are those of the disk below the folder as much as those of the
code: in memory (``--folder /dev/shm``) both settings should be alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from huey_core.backends import Ack, Message, ResultWrite
from huey_sqlite import SQLiteDataStore, SQLiteQueue
from huey_sqlite.settings import SYNCHRONOUS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DATA: Final = os.urandom(120)
RESULT: Final = os.urandom(60)
LEASE: Final = 60.0
TTL: Final = 600.0


def write(queue: SQLiteQueue, count: int) -> int:
    """Write messages one by one."""
    for _ in range(count):
        queue.write(DATA)
    return count


def write_many(queue: SQLiteQueue, count: int) -> int:
    """Write messages 100 at a time."""
    for _ in range(count // 100):
        queue.write_many([Message(DATA) for _ in range(100)])
    return count // 100 * 100


def drain(queue: SQLiteQueue, store: SQLiteDataStore, batch: int) -> int:
    """Claim and settle with results until nothing is left."""
    drained = 0
    while deliveries := queue.claim(batch, LEASE).deliveries:
        drained += sum(
            queue.settle([Ack(each, ResultWrite(store, each.message_id, RESULT, TTL)) for each in deliveries])
        )
    return drained


def tasks(queue: SQLiteQueue, store: SQLiteDataStore, one: int, many: int) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield what is measured, in an order in which each task finds what it needs."""
    yield "enqueue 1", lambda: write(queue, one)
    yield "drain 1", lambda: drain(queue, store, 1)
    yield "enqueue 100", lambda: write_many(queue, many)
    yield "drain 16", lambda: drain(queue, store, 16)
    yield "", lambda: write_many(queue, many)
    yield "drain 64", lambda: drain(queue, store, 64)


def measure(work: Callable[[], int]) -> float:
    """Return messages a second."""
    started = time.perf_counter()
    count = work()
    return count / (time.perf_counter() - started)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure huey-sqlite with each setting of synchronous.")
    parser.add_argument("--folder", help="where the files are made; by default in the system's folder for these")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the number of messages")
    options = parser.parse_args(arguments)
    results: dict[str, dict[str, list[float]]] = {}
    for _ in range(options.rounds):
        for synchronous in SYNCHRONOUS:
            # Where each commit waits for the disk, fewer of them take as long.
            one = 3000 if synchronous == "normal" else 300
            with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                queue = SQLiteQueue("bench", path=Path(folder) / "bench.db", synchronous=synchronous)
                store = SQLiteDataStore("bench", database=queue.database)
                for task, work in tasks(queue, store, int(one * options.scale), int(20_000 * options.scale)):
                    rate = measure(work)
                    if task:
                        results.setdefault(task, {}).setdefault(synchronous, []).append(rate)
                queue.close()
    print(f"median of {options.rounds} interleaved rounds: messages a second")
    print(f"{'':14}" + "".join(f"{name:>12}" for name in SYNCHRONOUS))
    for task, rates in results.items():
        print(f"{task:14}" + "".join(f"{statistics.median(rates[name]):>12,.0f}" for name in SYNCHRONOUS))


if __name__ == "__main__":
    main()

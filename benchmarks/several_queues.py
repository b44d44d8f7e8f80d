"""Measure what it costs a busy queue that its consumer serves nine idle ones as well.

    python benchmarks/several_queues.py [--rounds 5] [--commands 20000] [--calls 200]

A private Redis server is started. A consumer of one queue and one of ten take turns, each in a process of its own: a
drain of one full queue, and calls of an otherwise idle consumer, one at a time. Beside the rates, which noise of the
machine moves, stand the consumer's CPU seconds, which it moves less. Only the ratios mean something.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from huey_core import Invoker, queue_command
from huey_core.consumer import BaseConfiguration
from huey_redis.testing import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

URL: Final = "BENCHMARK_URL"
WARM_UP: Final = 0.05
PATIENCE: Final = 300.0
TEN: Final = ("busy", *(f"idle-{number}" for number in range(1, 10)))

invoker = Invoker.from_url(os.environ.get(URL, "redis://127.0.0.1:1/0?queue=busy"))


@queue_command(invoker)
def noop(number: int) -> int:
    """Return the number that it is given."""
    return number


class Configuration(BaseConfiguration):
    """The default settings, without the clock of the periodic commands."""

    INVOKER = invoker
    PERIODIC = False


class Measured(NamedTuple):
    """What was measured of one consumer."""

    drained: float
    """Commands a second."""
    cpu: float
    """CPU seconds of the consumer for a thousand of them."""
    call: float
    """Seconds from a call to its result, the median."""


def measure(queues: tuple[str, ...], commands: int, calls: int) -> Measured:
    """Measure a consumer of these queues."""
    handles = invoker.enqueue_many(noop.command(number) for number in range(commands))
    words = [word for name in queues for word in ("--queue", name)]
    command = [sys.executable, "-m", "huey_core", "consumer", "several_queues.Configuration", "--quiet", *words]
    consumer = subprocess.Popen(command, cwd=os.path.dirname(os.path.abspath(__file__)))
    try:
        warm = int(commands * WARM_UP)
        handles[warm].get(blocking=True, timeout=PATIENCE)
        began, cpu_before = time.perf_counter(), cpu_seconds(consumer.pid)
        handles[-1].get(blocking=True, timeout=PATIENCE)
        seconds, cpu = time.perf_counter() - began, cpu_seconds(consumer.pid) - cpu_before
        ran = commands - warm
        return Measured(ran / seconds, 1000 * cpu / ran, statistics.median(durations_of_calls(calls)))
    finally:
        consumer.terminate()
        consumer.wait()
        invoker.flush()


def durations_of_calls(count: int) -> Iterator[float]:
    """Call and wait for the result, again and again."""
    for number in range(count + 5):
        began = time.perf_counter()
        noop(number).get(blocking=True, timeout=PATIENCE)
        if number >= 5:
            yield time.perf_counter() - began


def cpu_seconds(process_id: int) -> float:
    """What a process has used of the processors until now."""
    with open(f"/proc/{process_id}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure in turn, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--commands", type=int, default=20_000, help="commands to drain (default 20000)")
    parser.add_argument("--calls", type=int, default=200, help="calls whose latency is taken (default 200)")
    arguments = parser.parse_args()
    if URL not in os.environ:
        with RedisServer() as server:
            # The invoker is made when the module is imported, so the program is started once more.
            environment = {**os.environ, URL: f"redis://127.0.0.1:{server.port}/0?queue=busy"}
            sys.exit(subprocess.call([sys.executable, *sys.orig_argv[1:]], env=environment))
    rounds = []
    for number in range(arguments.rounds):
        sides = [TEN[:1], TEN] if number % 2 else [TEN, TEN[:1]]
        found = {len(queues): measure(queues, arguments.commands, arguments.calls) for queues in sides}
        rounds.append((found[1], found[10]))
    for what, one, ten in zip(
        Measured._fields,
        zip(*(pair[0] for pair in rounds), strict=True),
        zip(*(pair[1] for pair in rounds), strict=True),
        strict=True,
    ):
        ratios = [b / a for a, b in zip(one, ten, strict=True)]
        print(
            f"{what:<8} one queue {statistics.median(one):.5g}, ten {statistics.median(ten):.5g}, "
            f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        )


if __name__ == "__main__":
    main()

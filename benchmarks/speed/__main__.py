"""Compare huey-core with other task queues, and with bare loops, on one Redis server.

Rounds are interleaved: in each round every contestant does every measurement, so that noise of the machine hits all of
them alike. Only the ratios mean something; they are medians over the rounds, with the least and the most beside them.

Without --url a private server is started, and it gets a core of its own. With --url the server's databases 10 to 15
must be empty, and are emptied afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import redis

from huey_redis.testing import RedisServer

from . import machine, measurements, report
from .contestants import load
from .contestants.base import DATABASES, SERVER_VARIABLE, WORKERS_VARIABLE

if TYPE_CHECKING:
    from .contestants import Contestant

HUEY_WORKERS: Final = ("thread:1", "thread:2", "thread:4", "thread:8", "process:1", "process:2")


def main() -> int:
    """Run the benchmark, and return the exit code."""
    arguments = parse_arguments()
    with ExitStack() as stack:
        url, own_server = arguments.url, None
        if url is None:
            own_server = stack.enter_context(RedisServer())
            url = f"redis://127.0.0.1:{own_server.port}"
        os.environ[SERVER_VARIABLE] = url.rstrip("/")
        refuse_used_databases(url)
        core = None
        if own_server is not None and own_server.pid is not None and not arguments.no_pinning:
            server_core, core = machine.two_cores()
            machine.pin(own_server.pid, server_core)
            machine.pin(os.getpid(), core)
        described = machine.describe(redis.Redis.from_url(url))
        contestants = load()
        if arguments.only:
            contestants = {name: one for name, one in contestants.items() if name in arguments.only}
        if any(name.startswith("huey,") or name == "huey" for name in contestants):
            os.environ[WORKERS_VARIABLE] = described["huey workers"] = best_workers(
                contestants["huey"], arguments, core
            )
        rounds = report.Rounds()
        for number in range(arguments.rounds):
            print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
            for contestant in in_turn(list(contestants.values()), number):
                measure(contestant, rounds, arguments, core)
    print(", ".join(f"{name}: {value}" for name, value in described.items()), end="\n\n")
    print("\n".join(report.table(rounds)))
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_json(rounds, described), indent=2) + "\n")
    return 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", help="a server, without a database: redis://localhost:6379")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (default 5)")
    parser.add_argument("--commands", type=int, default=20_000, help="commands to drain (default 20000)")
    parser.add_argument("--sends", type=int, default=5_000, help="commands to send one by one (default 5000)")
    parser.add_argument("--calls", type=int, default=200, help="calls whose latency is taken (default 200)")
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this contestant; may be repeated")
    parser.add_argument("--no-pinning", action="store_true", help="let the system choose the cores")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to this file, too")
    return parser.parse_args()


def refuse_used_databases(url: str) -> None:
    """Exit when one of the databases that would be emptied holds something."""
    for number in DATABASES:
        if redis.Redis.from_url(f"{url.rstrip('/')}/{number}").dbsize():
            sys.exit(f"database {number} of {url} is not empty")


def best_workers(huey: Contestant, arguments: argparse.Namespace, core: int | None) -> str:
    """Find the kind and number of huey's workers that drain fastest on this machine, and use them from here on."""
    speeds = {}
    for workers in HUEY_WORKERS:
        os.environ[WORKERS_VARIABLE] = workers
        speeds[workers] = max(drain(huey, arguments.commands // 5, core) for _ in range(2))
        print(f"huey with {workers} drains {speeds[workers]:,.0f} a second", file=sys.stderr)
    os.environ[WORKERS_VARIABLE] = best = max(speeds, key=speeds.__getitem__)
    return best


def in_turn(contestants: list[Contestant], number: int) -> list[Contestant]:
    """Let another one begin in every round."""
    first = number % len(contestants)
    return contestants[first:] + contestants[:first]


def measure(contestant: Contestant, rounds: report.Rounds, arguments: argparse.Namespace, core: int | None) -> None:
    """Take every measurement of one contestant once."""
    name = contestant.name
    commands = int(arguments.commands * contestant.weight)
    rounds.add("enqueue", name, measurements.enqueue(contestant, int(arguments.sends * contestant.weight)))
    contestant.clear()
    if contestant.can("enqueue_many"):
        rounds.add("enqueue_many", name, measurements.enqueue_many(contestant, commands))
        contestant.clear()
    if contestant.can("consumer_arguments"):
        rounds.add("drain", name, drain(contestant, commands, core))
    if contestant.can("call"):
        rounds.add_latencies(name, measurements.call_to_result(contestant, arguments.calls, core))
        contestant.clear()


def drain(contestant: Contestant, commands: int, core: int | None) -> float:
    """Measure a drain on an empty database, and leave it empty."""
    contestant.clear()
    try:
        return measurements.drain(contestant, commands, core)
    finally:
        contestant.clear()


if __name__ == "__main__":
    sys.exit(main())

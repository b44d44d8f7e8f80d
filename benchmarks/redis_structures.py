"""Measure the data structures that a Redis queue could be built on, with this contract's features on.

    python benchmarks/redis_structures.py [--url redis://...] [--rounds 9]

Three candidates do the same work over one connection, in turns, so that noise of the machine hits them alike:

* ``sorted set``: the scripts of huey-redis as they are;
* ``list lane``: the same scripts, with a list beside the sorted set for messages of priority 0 that are due at once.
  It is a lower bound: it does not order what came back against the list, and cannot delete from it in bounded time;
* ``stream``: a consumer group, for comparison: no idempotent id, no priority, no delay, no unique key, no attempt
  limit.

Every claim checks what fell due, expired leases and the pause; every settle checks receipts and stores a result.
Without ``--url`` a private server is started. The database must be empty, and is emptied afterwards.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from huey_core.backends import BackendURL
from huey_redis import RedisBackend, scripts
from huey_redis.connection import Argument, Connections
from huey_redis.keys import QUEUE_PARTS, queue_keys
from huey_redis.scripts import Script
from huey_redis.settings import Settings
from huey_redis.testing import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DATA: Final = os.urandom(120)
RESULT: Final = os.urandom(60)
LEASE_MS: Final = 60_000
TTL_MS: Final = 600_000
RESULT_PREFIX: Final = b"huey:{bench}:data:"


class Candidate(Protocol):
    """One way to keep a queue."""

    def write(self, count: int) -> None:
        """Write messages one by one."""

    def write_many(self, count: int) -> None:
        """Write messages 100 at a time, 100 to a script call."""

    def drain(self, batch: int) -> int:
        """Claim and settle with results until nothing is left; return how many."""


class SortedSet:
    """The scripts of huey-redis."""

    plain: Script = scripts.WRITE_PLAIN
    many: Script = scripts.WRITE
    claim: Script = scripts.CLAIM
    extra_keys: tuple[bytes, ...] = ()

    def __init__(self, server: Connections) -> None:
        self.server = server
        self.keys = queue_keys("bench") + self.extra_keys
        named = dict(zip(QUEUE_PARTS, self.keys, strict=False))
        self.plain_keys = (named["msg"], named["ready"], named["seq"], named["bell"])

    def write(self, count: int) -> None:
        """Write messages one by one."""
        for _ in range(count):
            self.server.run(self.plain, self.plain_keys, os.urandom(16).hex(), 0, DATA)

    def write_many(self, count: int) -> None:
        """Write messages 100 to a script call."""
        for _ in range(count // 100):
            arguments: list[Argument] = []
            for _ in range(100):
                arguments += (os.urandom(16).hex(), DATA, 0, 0, b"", b"")
            self.server.run(self.many, self.keys, *arguments)

    def drain(self, batch: int) -> int:
        """Claim and settle until nothing is left."""
        drained = 0
        while len(reply := self.server.run(self.claim, self.keys, batch, LEASE_MS, 5)) > 1:
            ids, receipts = reply[1::3], reply[2::3]
            keys = [*self.keys[: len(QUEUE_PARTS)], *(RESULT_PREFIX + message_id for message_id in ids)]
            details = [part for n in range(len(ids)) for part in (n + 1, RESULT, TTL_MS, 0)]
            acks = [b"ack"] * len(ids)
            effects = self.server.run(scripts.SETTLE, keys, len(ids), *acks, *ids, *receipts, *details)
            drained += sum(effects)
        return drained


class ListLane(SortedSet):
    """The same with a list for what is immediate and of ordinary priority."""

    extra_keys = (b"huey:{bench}:lane",)
    plain = Script(
        b"""
        if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[3]) == 0 then return ARGV[1] end
        redis.call('RPUSH', KEYS[2], ARGV[1])
        if redis.call('LLEN', KEYS[4]) == 0 then redis.call('LPUSH', KEYS[4], '') end
        """
    )

    def __init__(self, server: Connections) -> None:
        super().__init__(server)
        self.many = _changed(
            scripts.WRITE,
            (b"unpack(KEYS, 1, 13)", b"unpack(KEYS, 1, 13)\nlocal LANE = KEYS[14]"),
            (
                b"  local rank = redis.call('INCR', SEQ) - priority * 2199023255552\n  if ",
                b"  if priority == '0' and tonumber(due) <= at then redis.call('RPUSH', LANE, id) ring() return end\n"
                b"  local rank = redis.call('INCR', SEQ) - priority * 2199023255552\n  if ",
            ),
        )
        self.claim = _changed(
            scripts.CLAIM,
            (b"unpack(KEYS, 1, 13)", b"unpack(KEYS, 1, 13)\nlocal LANE = KEYS[14]"),
            (
                b"local popped = redis.call('ZPOPMIN', READY, ARGV[1])\n",
                b"local popped = redis.call('ZPOPMIN', READY, ARGV[1])\n"
                b"for _, id in ipairs(redis.call('LPOP', LANE, ARGV[1] - #popped / 2) or {}) do\n"
                b"  popped[#popped + 1] = id popped[#popped + 1] = '0'\nend\n",
            ),
            (b"if redis.call('EXISTS', READY) == 1 then", b"if redis.call('EXISTS', READY, LANE) > 0 then"),
        )
        self.plain_keys = (self.keys[0], self.keys[-1], *self.plain_keys[2:])


class Stream:
    """A stream with a consumer group."""

    key = b"huey:{bench}:stream"
    add = Script(b"for i = 1, #ARGV do redis.call('XADD', KEYS[1], '*', 'd', ARGV[i]) end")
    settle = Script(
        b"""
        redis.call('XACK', KEYS[1], 'g', unpack(ARGV, 3))
        redis.call('XDEL', KEYS[1], unpack(ARGV, 3))
        for i = 3, #ARGV do
          redis.call('SET', KEYS[i - 1], ARGV[1], 'PX', ARGV[2])
          redis.call('PUBLISH', KEYS[i - 1], '')
        end
        """
    )

    def __init__(self, server: Connections) -> None:
        self.server = server

    def write(self, count: int) -> None:
        """Write messages one by one."""
        for _ in range(count):
            self.server.call(b"XADD", self.key, b"*", b"d", DATA)

    def write_many(self, count: int) -> None:
        """Write messages 100 to a script call."""
        for _ in range(count // 100):
            self.server.run(self.add, [self.key], *[DATA] * 100)

    def drain(self, batch: int) -> int:
        """Claim and settle until nothing is left."""
        self.server.exchange((b"XGROUP", b"CREATE", self.key, b"g", b"0", b"MKSTREAM"))
        drained = 0
        read = (b"XREADGROUP", b"GROUP", b"g", b"me", b"COUNT", batch, b"STREAMS", self.key, b">")
        while reply := self.server.call(*read):
            ids = [entry[0] for entry in reply[0][1]]
            keys = [self.key, *(RESULT_PREFIX + entry_id for entry_id in ids)]
            self.server.run(self.settle, keys, RESULT, TTL_MS, *ids)
            drained += len(ids)
        return drained


def _changed(script: Script, *changes: tuple[bytes, bytes]) -> Script:
    source = script.source
    for old, new in changes:
        if old not in source:
            raise SystemExit(f"the script has changed, and this benchmark has not: {old!r}")
        source = source.replace(old, new)
    return Script(source)


def measure(server: Connections, work: Callable[[], int]) -> tuple[float, float]:
    """Return messages a second, and microseconds of the server's time a message."""
    server.call("CONFIG", "RESETSTAT")
    started = time.perf_counter()
    count = work()
    elapsed = time.perf_counter() - started
    spent = 0
    for line in server.call("INFO", "commandstats").decode().splitlines():
        name, _, fields = line.partition(":")
        if name.removeprefix("cmdstat_") in {"evalsha", "eval", "xadd", "xreadgroup"}:
            spent += int(fields.partition("usec=")[2].partition(",")[0])
    return count / elapsed, spent / count


def tasks(candidate: Candidate, scale: float) -> Iterator[tuple[str, Callable[[], int]]]:
    """Yield what is measured, in an order in which each task leaves an empty queue for the next."""
    one, many = int(2000 * scale), int(20_000 * scale) // 100 * 100

    def write() -> int:
        candidate.write(one)
        return one

    def write_many() -> int:
        candidate.write_many(many)
        return many

    yield "enqueue 1", write
    yield "drain 1", lambda: candidate.drain(1)
    yield "enqueue 100", write_many
    yield "drain 16", lambda: candidate.drain(16)
    yield "", write_many
    yield "drain 64", lambda: candidate.drain(64)


@contextmanager
def connect(url: str | None) -> Iterator[Connections]:
    """Connect to the server of a URL, or to a private one."""
    if url is not None:
        settings = RedisBackend(BackendURL.parse(url).with_options(RedisBackend.options)).settings
        yield Connections(settings)
        return
    with RedisServer() as server:
        print(f"server: {server.binary}")
        yield Connections(Settings(host="127.0.0.1", port=server.port))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure data structures for a Redis queue.")
    parser.add_argument("--url", help="a server whose database is empty; by default a private one is started")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies the number of messages")
    options = parser.parse_args(arguments)
    results: dict[str, dict[str, list[tuple[float, float]]]] = {}
    with connect(options.url) as server:
        if server.call("DBSIZE"):
            raise SystemExit("the database is not empty")
        candidates: dict[str, Any] = {
            "sorted set": SortedSet(server),
            "list lane": ListLane(server),
            "stream": Stream(server),
        }
        for number in range(options.rounds):
            # Who comes first in a round pays for waking the processor up, so each does in turn.
            turns = [*candidates.items()][number % len(candidates) :] + [*candidates.items()][
                : number % len(candidates)
            ]
            for name, candidate in turns:
                for task, work in tasks(candidate, options.scale):
                    measured = measure(server, work)
                    if task:
                        results.setdefault(task, {}).setdefault(name, []).append(measured)
                server.call("FLUSHDB")
    print(f"median of {options.rounds} interleaved rounds: messages a second (server microseconds a message)")
    print(f"{'':14}" + "".join(f"{name:>20}" for name in candidates))
    for task, by_name in results.items():
        cells = []
        for name in candidates:
            rate, spent = (statistics.median(column) for column in zip(*by_name[name], strict=True))
            cells.append(f"{rate:>12,.0f} ({spent:4.1f})")
        print(f"{task:14}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()

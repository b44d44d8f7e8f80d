"""Measure what serializers make of typical arguments: how many bytes, and in how many microseconds.

    python benchmarks/serializers.py [--rounds 15]

The serializers take turns, so that noise of the machine hits them alike.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import statistics
import time
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from huey_core.serializers import JSONSerializer
from huey_msgpack import MessagePackSerializer
from huey_zstd import ZstdSerializer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huey_core.serializers import Serializer

MOMENT: Final = dt.datetime(2030, 1, 1, 12, 30, tzinfo=dt.UTC)
ORDER: Final = {"id": 70311, "at": MOMENT, "total": Decimal("104.90"), "key": UUID(int=7), "box": (3, 4, 5)}
ROWS: Final = [
    {"id": number, "name": f"customer {number * 7919 % 1000}", "price": number * 1.25, "tags": ["new", "mail"]}
    for number in range(100)
]
NOISE: Final = random.Random(1).randbytes(20_000)

BODIES: Final[dict[str, Any]] = {
    "mail": [["ada@example.org"], {"template": "welcome", "lang": "en", "attempt": 1}],
    "order": [[ORDER], {"notify": True}],
    "100 rows": [[ROWS], {}],
    "20 kB of noise": [[NOISE], {}],
}
"""The data of a command: the list of its arguments, and its keyword arguments."""

SECONDS: Final = 0.01
"""How long one measurement takes, roughly."""


def microseconds(work: Callable[[], object]) -> float:
    """Return how long a call takes, from as many calls as fill the time."""
    started = time.perf_counter()
    work()
    calls = max(1, int(SECONDS / max(time.perf_counter() - started, 1e-6)))
    started = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - started) / calls * 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure what serializers make of typical arguments.")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(arguments)
    json, msgpack = JSONSerializer(), MessagePackSerializer()
    serializers: list[Serializer] = [json, msgpack, ZstdSerializer(json), ZstdSerializer(msgpack)]
    times: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(options.rounds):
        for body, value in BODIES.items():
            for each in serializers:
                data = each.encode(value)
                encoding = microseconds(partial(each.encode, value))
                decoding = microseconds(partial(each.decode, data))
                times.setdefault((body, each.name), []).append((encoding, decoding))
    print(f"median of {options.rounds} interleaved rounds: bytes, microseconds to encode, to decode")
    for body, value in BODIES.items():
        for each in serializers:
            encoding, decoding = map(statistics.median, zip(*times[body, each.name], strict=True))
            print(f"{body:16}{each.name:14}{len(each.encode(value)):>8,}{encoding:>10.1f}{decoding:>10.1f}")


if __name__ == "__main__":
    main()

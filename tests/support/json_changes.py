"""Changes of one JSON value that several threads make at the same moment."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from huey_core.backends.json_value import JSONValue

if TYPE_CHECKING:
    from huey_core.backends.base import BaseDataStore

__all__ = ["STEPS_OF_EACH", "change_together"]

STEPS_OF_EACH = st.lists(
    st.lists(st.tuples(st.text(max_size=1), st.integers(-1, 1)), max_size=8), min_size=2, max_size=4
)
"""What each of some threads adds to counters, by name."""


def change_together(store: BaseDataStore, steps_of_each: list[list[tuple[str, int]]]) -> dict[str, int]:
    """Have each thread take its steps, and return what the counters should be now."""
    barrier = threading.Barrier(len(steps_of_each))

    def take(steps: list[tuple[str, int]]) -> None:
        counters = JSONValue[dict[str, int]](store, "counters", {})
        barrier.wait()
        for name, step in steps:
            counters.change(partial(_with_step, name=name, step=step))

    with ThreadPoolExecutor(len(steps_of_each)) as pool:
        list(pool.map(take, steps_of_each))
    expected: Counter[str] = Counter()
    for name, step in (each for steps in steps_of_each for each in steps):
        expected[name] += step
    return dict(expected)


def _with_step(counters: dict[str, int], name: str, step: int) -> dict[str, int]:
    return {**counters, name: counters.get(name, 0) + step}

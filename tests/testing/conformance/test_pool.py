"""The kit of worker pools lets right ones pass, and finds what is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from huey_testing.conformance import WorkerPoolConformance
from mutants import assert_caught, mutants

pytest_plugins = ["pytester"]

HERE = Path(__file__).parents[1]

POOL = """
    import pytest
    from huey_testing.conformance import WorkerPoolConformance
    from {module} import {cls}

    class TestPool(WorkerPoolConformance):
        deadline = {deadline}

        @pytest.fixture
        def make_pool(self):
            return {cls}
"""

MUTANTS = mutants(HERE / "broken_pools.py")


@pytest.mark.parametrize("cls", ["LoopPool", "ForkPool"])
def test_a_right_pool_passes(run_kit, cls):
    result = run_kit(POOL.format(module="own_pools", cls=cls, deadline=30))

    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed", "skipped"}


@pytest.mark.parametrize(("cls", "test"), MUTANTS, ids=[f"{cls.__name__}-{test}" for cls, test in MUTANTS])
def test_a_broken_pool_is_caught(run_kit, cls, test):
    assert_caught(run_kit(POOL.format(module="broken_pools", cls=cls.__name__, deadline=0.5), one=test), test)


def test_each_promise_has_a_pool_that_breaks_it():
    promises = {name for name in dir(WorkerPoolConformance) if name.startswith("test_")}

    assert promises == {test for _, test in MUTANTS}

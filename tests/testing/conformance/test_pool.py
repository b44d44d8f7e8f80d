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

    class Test{cls}(WorkerPoolConformance):
        deadline = {deadline}

        @pytest.fixture
        def make_pool(self):
            return {cls}
"""

MUTANTS = mutants(HERE / "broken_pools.py", lambda _: POOL.replace("{deadline}", "0.5"))


@pytest.mark.parametrize("cls", ["LoopPool", "ForkPool"])
def test_a_right_pool_passes(run_kit, cls):
    result = run_kit(POOL.format(module="own_pools", cls=cls, deadline=30))

    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed", "skipped"}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_pool_is_caught(reports):
    assert_caught(reports)


def test_each_promise_has_a_pool_that_breaks_it():
    promises = {name for name in dir(WorkerPoolConformance) if name.startswith("test_")}

    assert promises == {mutant.test for (mutant,) in (each.values for each in MUTANTS)}

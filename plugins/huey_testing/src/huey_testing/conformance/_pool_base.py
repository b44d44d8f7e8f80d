"""The fixtures and helpers that the promises of worker pools share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import pytest

from huey_core.workers import PoolAbility, PoolSettings, WorkerPool
from huey_testing._pool_work import Work, WorkRunner
from huey_testing.conformance._promises import eventually, promise, within

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PoolFactory", "PoolFixtures", "pool_promise"]

F = TypeVar("F", bound=Callable[..., None])

PoolFactory = Callable[..., WorkerPool]


def pool_promise(*needs: PoolAbility) -> Callable[[F], F]:
    """Make a test of a promise, which the report on the capabilities of a backend leaves out.

    Args:
        needs: The abilities without which the promise is not made, and the test skipped.
    """

    def decorate(test: F) -> F:
        kept = promise()(test)
        del kept.needs  # type: ignore[attr-defined]  # promise sets it
        kept.abilities = frozenset(needs)  # type: ignore[attr-defined]  # read by PoolFixtures._only_what_is_declared
        return kept

    return decorate


class PoolFixtures:
    """What a subclass overrides, and what the tests are given."""

    deadline: ClassVar[float] = 30.0
    """Seconds after which something that should have happened is taken never to happen."""

    @pytest.fixture
    def make_pool(self) -> Callable[[PoolSettings], WorkerPool]:
        """Return a callable that makes a pool of its settings, as the class does. Every subclass overrides this."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture make_pool; see huey_testing.conformance")

    @pytest.fixture
    def work(self, tmp_path: Path) -> Iterator[Work]:
        """What there is to run."""
        work = Work(tmp_path)
        yield work
        work.end()

    @pytest.fixture
    def runner(self, work: Work) -> WorkRunner:
        """What it is run by."""
        return WorkRunner(work)

    @pytest.fixture
    def new_pool(self, make_pool: Callable[[PoolSettings], Any], work: Work) -> Iterator[PoolFactory]:
        """Make pools of a size that are started unless one says otherwise, and stopped after the test."""
        started: list[WorkerPool] = []

        def new(size: int = 2, *, start: bool = True) -> WorkerPool:
            pool = self._make(make_pool, work, size)
            if start:
                pool.start()
                started.append(pool)
            return pool

        yield new
        work.end()
        for pool in started:
            # One that cannot end fails the tests of that, and no other.
            with suppress(Exception):
                pool.drain()
                pool.stop()
                within(2 * self.deadline, partial(self._wait, pool), "wait() at the end of the test")
                pool.kill()

    @pytest.fixture(autouse=True)
    def _only_what_is_declared(
        self, request: pytest.FixtureRequest, make_pool: Callable[[PoolSettings], Any], work: Work
    ) -> None:
        needed: frozenset[PoolAbility] = getattr(request.function, "abilities", frozenset())
        declared = self._make(make_pool, work, 1).abilities if needed else frozenset()
        for ability in sorted(needed - declared, key=lambda one: one.value):
            pytest.skip(f"{ability.name} is not declared: {ability.description}")

    def all_ended(self, work: Work, count: int) -> None:
        """Wait until so many runs have ended, and their pool has said so."""
        eventually(lambda: len(work.events("end")) >= count, f"{count} runs have ended", self.deadline)
        eventually(lambda: len(work.events("has_run")) >= count, f"has_run() was called {count} times", self.deadline)

    def all_begun(self, work: Work, count: int) -> None:
        """Wait until so many runs have begun."""
        eventually(lambda: len(work.events("begin")) >= count, f"{count} runs have begun", self.deadline)

    def _make(self, make_pool: Callable[[PoolSettings], Any], work: Work, size: int) -> WorkerPool:
        settings = PoolSettings(
            size=size,
            on_start=lambda name: work.note("on_start", name),
            on_stop=lambda name: work.note("on_stop", name),
            on_loop_start=partial(self._note_loop, work, "on_loop_start"),
            on_loop_stop=partial(self._note_loop, work, "on_loop_stop"),
            restart_after=0.001,
            timeout_grace=0.2,
            application=work.application(),
        )
        pool: WorkerPool = make_pool(settings)
        return pool

    async def _note_loop(self, work: Work, kind: str) -> None:
        work.note(kind, "")

    def _wait(self, pool: WorkerPool) -> None:
        eventually(lambda: pool.wait(0.05), "wait() returns true", self.deadline)

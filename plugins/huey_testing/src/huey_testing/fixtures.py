"""The fixtures of :mod:`huey_testing.plugin` for the tests of applications; see ``docs/testing.md``."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from huey_core.invoker import Invoker
    from huey_testing.clock import RehearsalClock
    from huey_testing.driver import Run
    from huey_testing.faults import Faults
    from huey_testing.recorder import Recorder
    from huey_testing.rehearsal import Rehearsal

__all__ = [
    "huey_backend",
    "huey_clock",
    "huey_invoker",
    "huey_recorder",
    "huey_redirect",
    "huey_rehearsal",
    "run_until_idle",
]


@pytest.fixture
def huey_rehearsal() -> Iterator[Rehearsal]:
    """What the other fixtures are parts of: a memory of this test's own."""
    # Every run of pytest loads this module, also where nothing is tested with it.
    from huey_testing.rehearsal import Rehearsal

    with Rehearsal() as rehearsal:
        yield rehearsal


@pytest.fixture
def huey_invoker(huey_rehearsal: Rehearsal) -> Invoker:
    """An invoker in memory, on the clock that the test moves."""
    return huey_rehearsal.invoker


@pytest.fixture
def huey_redirect(huey_rehearsal: Rehearsal) -> Iterator[Callable[[Invoker], Invoker]]:
    """Let an application's own invoker work in memory until the end of the test: ``huey_redirect(shop.invoker)``."""
    with ExitStack() as until_the_end:
        yield lambda invoker: until_the_end.enter_context(huey_rehearsal.redirect(invoker))


@pytest.fixture
def huey_recorder(huey_rehearsal: Rehearsal) -> Recorder:
    """What was enqueued: ``huey_recorder.assert_enqueued(send_mail, "ann", within=60)``."""
    return huey_rehearsal.recorder


@pytest.fixture
def huey_clock(huey_rehearsal: Rehearsal) -> RehearsalClock:
    """The clock of schedules, retries, leases, expiry and periodic commands: ``huey_clock.advance(60)``."""
    return huey_rehearsal.clock


@pytest.fixture
def huey_backend(huey_rehearsal: Rehearsal) -> Faults:
    """Faults on order: ``huey_backend.fail_next("settle")``."""
    return huey_rehearsal.faults


@pytest.fixture
def run_until_idle(huey_rehearsal: Rehearsal) -> Callable[..., list[Run]]:
    """Run in this thread what is due, until nothing is: ``run_until_idle()``."""
    return huey_rehearsal.run_until_idle

"""Runs of the conformance kit within a test; and a rehearsal, its invoker, and commands of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# Imported here so that runs within tests find them imported, and do not undo the import when they end: the kit takes a
# second, a second copy of it would register its types again, and importlib_metadata replaces a part of the standard
# library, which nothing gives back.
import hypothesis  # noqa: F401
import importlib_metadata  # noqa: F401
import pytest

import huey_memory  # noqa: F401
import huey_testing.conformance  # noqa: F401
from huey_core import queue_command as command
from huey_testing.rehearsal import Rehearsal
from mutants import Chosen, Mutant

HERE = Path(__file__).parent


class One:
    """Has pytest collect one test of each class, which takes a fraction of the time that choosing it with -k takes."""

    def __init__(self, name: str) -> None:
        self._name = name

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: object, name: str) -> list[object] | None:
        return [] if isinstance(collector, pytest.Class) and name != self._name else None


@pytest.fixture
def run_kit(pytester, monkeypatch):
    """Run a module of conformance tests, or ``one`` of them, and return pytest's result."""
    monkeypatch.syspath_prepend(HERE)
    # Loading the plugins of others takes longer than most of the tests that are run so.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(module: str, *arguments: str, one: str | None = None, plugins: Sequence[object] = ()) -> pytest.RunResult:
        pytester.makepyfile(module)
        chosen = [*plugins, *([] if one is None else [One(one)])]
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rs", *arguments, plugins=chosen)

    return run


@pytest.fixture(scope="module")
def reports_of_mutants() -> dict[Mutant, list[pytest.TestReport]]:
    """What was reported so far."""
    return {}


@pytest.fixture
def reports(mutant, request, reports_of_mutants):
    """What the test that must catch a mutant reports of it.

    All mutants of a module are tried in one run of the kit, since to begin a run takes longer than most of them.
    """
    if mutant not in reports_of_mutants:
        calls = [item.callspec.params for item in request.session.items if "mutant" in item.fixturenames]
        chosen = Chosen([call["mutant"] for call in calls if call["mutant"].module == mutant.module])
        kits = dict.fromkeys(other.kit for other in chosen.reports)
        # A traceback without lines of source takes a fraction of the time.
        request.getfixturevalue("run_kit")("".join(kits), "--tb=native", plugins=[chosen])
        reports_of_mutants |= chosen.reports
    return reports_of_mutants[mutant]


@pytest.fixture
def rehearsal():
    with Rehearsal() as rehearsal:
        yield rehearsal


@pytest.fixture
def invoker(rehearsal):
    return rehearsal.invoker


@pytest.fixture
def send(invoker):
    @command(invoker)
    def send(to, text="hello"):
        return f"{text}, {to}"

    return send


@pytest.fixture
def given_up(rehearsal, invoker):
    """The result of a command that has ended its process as often as a message is delivered."""

    @command(invoker)
    def crash():
        raise KeyboardInterrupt

    result = crash()
    for _ in range(invoker.leased_queue.max_deliveries):
        with pytest.raises(KeyboardInterrupt):
            rehearsal.run_until_idle()
        rehearsal.clock.advance(invoker.lease)
    return result

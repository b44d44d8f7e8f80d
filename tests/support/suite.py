"""What every run of the tests has: how patient hypothesis is, how to wait, and a server of Redis for each process.

A plugin of pytest. The tests of Django have a ``conftest.py`` of their own at the top, as they are a run of their own.
"""

from __future__ import annotations

import gc
import os
import re
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tunnel import Tunnel

if TYPE_CHECKING:
    # Where the core is tested alone, there is none.
    from huey_testing.server_process import ServerProcess

__all__ = ["eventually", "make_tunnel", "new_server", "pytest_runtest_makereport", "server", "server_class"]

# Tests whose servers or environments take seconds to make, or that are tried together, and so are run by one process of
# a run only. The marks that xdist has for this do nothing with pytest 9.2:
# https://github.com/pytest-dev/pytest-xdist/issues/1386
_BY_ONE_PROCESS = re.compile(
    r"""
    mongo/test_(backend|inspection|plans|write_concern)\.py
    | testing/scaffold/test_distribution\.py
    | testing/conformance/test_\w+\.py::\w+\[broken_\w+
    """,
    re.VERBOSE,
)

# Where files are best: tests wait for many flushes, and no test cuts the power, which flushes are for.
_MEMORY_FOLDER = Path("/dev/shm")
_SPACE = 4 * 1024**3
"""Bytes that have to be free there."""

# How long an example takes says nothing of what is tested: on a loaded machine any process may have to wait.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# The same examples each time: what a change has not broken fails for nobody. New ones are the business of "thorough".
settings.register_profile("quick", _PATIENT, max_examples=30, derandomize=True)
settings.register_profile("thorough", _PATIENT, max_examples=1000)


def pytest_configure(config: pytest.Config) -> None:
    """Try few examples, unless ``--hypothesis-profile`` names another profile, and keep files in memory."""
    settings.load_profile(config.getoption("--hypothesis-profile") or "quick")
    # Runs of pytest that tests start elsewhere find there what takes hypothesis a second to make.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(".hypothesis").absolute()))
    if "TMPDIR" not in os.environ and _is_spacious_memory(_MEMORY_FOLDER):
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY_FOLDER)


def is_thorough() -> bool:
    """Whether tests are to try all that they can, as ``tox run -e thorough`` asks, and not what is likely to break."""
    return settings.get_current_profile_name() == "thorough"


def _is_spacious_memory(folder: Path) -> bool:
    """Whether a folder, which is in memory where it exists, takes what tests write, and runs the programs among it."""
    if not os.access(folder, os.W_OK):
        return False
    place = os.statvfs(folder)
    return place.f_bavail * place.f_frsize > _SPACE and not place.f_flag & os.ST_NOEXEC


class _Scheduling(LoadScopeScheduling):
    """Gives each test to whichever process is idle, and those that belong together to one process."""

    def _split_scope(self, nodeid: str) -> str:
        together = _BY_ONE_PROCESS.search(nodeid)
        return together[0] if together else nodeid

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Forget what has ended: xdist counts all that a process was given, again and again."""
        super().mark_test_complete(node, item_index, duration)
        given = self.assigned_work[node]
        scope = self._split_scope(self.registered_collections[node][item_index])
        if all(given[scope].values()):
            del given[scope]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what one process runs, so that none is left alone with it, and end with servers that never rest."""
    items.sort(key=lambda item: ("mongo" in item.path.parts, _BY_ONE_PROCESS.search(item.nodeid) is None))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Spare the garbage collector the thousands of tests, which it would look at again and again."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Scheduling | None:
    """Schedule so where pytest is to run groups of tests together."""
    if config.getoption("dist") != "loadgroup":
        return None
    config.option.loadscopereorder = False
    return _Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what no encoding has: tests log and print such text on purpose, and reports travel between processes."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Wait until a condition holds, and return what it gives; fail when it does not hold within a deadline."""

    def wait(condition: Callable[[], Any], what: str = "the condition", timeout: float = 60.0) -> Any:
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            assert time.monotonic() < deadline, f"{what} did not hold within {timeout} s"
            time.sleep(0.005)
        return found

    return wait


@pytest.fixture(scope="session")
def server_class() -> Callable[..., ServerProcess]:
    """What ``new_server`` starts; the tests of another backend name theirs, and have a ``server`` of their own."""
    # Where the core is tested alone, there is none.
    from huey_redis.testing import RedisServer

    return RedisServer


@pytest.fixture(scope="session")
def server(server_class: Callable[..., ServerProcess]) -> Iterator[ServerProcess]:
    """A server that the tests of a process share; they keep to queues of their own."""
    with server_class() as server:
        yield server


@pytest.fixture
def new_server(server_class: Callable[..., ServerProcess]) -> Iterator[Callable[..., ServerProcess]]:
    """Start servers that a test may stop, fill or reconfigure."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(server_class(**options))


@pytest.fixture
def make_tunnel() -> Iterator[Callable[..., Tunnel]]:
    """Make lines to servers that can be bad, by the server's port."""
    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(closing(Tunnel(*args, **kwargs)))

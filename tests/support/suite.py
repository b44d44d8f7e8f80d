"""What every run of the tests has: how patient hypothesis is, how to wait, and a server of Redis for each process.

A plugin of pytest. The tests of Django have a ``conftest.py`` of their own at the top, as they are a run of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from huey_redis.testing import RedisServer
from tunnel import Tunnel

__all__ = ["eventually", "make_tunnel", "new_server", "pytest_runtest_makereport", "server"]

# How long an example takes says nothing of what is tested: on a loaded machine any process may have to wait.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", _PATIENT, max_examples=30)
settings.register_profile("thorough", _PATIENT, max_examples=1000)


def pytest_configure(config: pytest.Config) -> None:
    """Try few examples, unless ``--hypothesis-profile`` names another profile."""
    settings.load_profile(config.getoption("--hypothesis-profile") or "quick")


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
def server() -> Iterator[RedisServer]:
    """A server that the tests of a process share; they keep to queues of their own.

    The tests of another backend have its servers under the same names.
    """
    with RedisServer() as server:
        yield server


@pytest.fixture
def new_server() -> Iterator[Callable[..., RedisServer]]:
    """Start servers that a test may stop, fill or reconfigure."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(RedisServer(**options))


@pytest.fixture
def make_tunnel() -> Iterator[Callable[..., Tunnel]]:
    """Make lines to servers that can be bad, by the server's port."""
    with ExitStack() as stack:
        yield lambda *args, **kwargs: stack.enter_context(closing(Tunnel(*args, **kwargs)))

"""What every class of the kit is made with: promises, waiting with a deadline, and threads that report their errors."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import functools
import inspect
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest

from huey_testing.report import tag_declared

if TYPE_CHECKING:
    from huey_core.backends import Capability

__all__ = [
    "Conformance",
    "Counting",
    "Passing",
    "Threads",
    "error_of",
    "eventually",
    "in_threads",
    "promise",
    "unique_name",
    "within",
]

F = TypeVar("F", bound=Callable[..., None])
T = TypeVar("T")

Passing = Callable[[float], None]
"""Lets a number of seconds pass, really or by moving the backend's clock."""

Counting = Callable[[], int]
"""Counts all records that the server keeps: rows, documents, or keys and their elements."""


def promise(*needs: Capability) -> Callable[[F], F]:
    """Make a test of a promise: its docstring begins the message of every failure.

    Args:
        needs: The capabilities without which the promise is not made, and the test skipped.
    """

    def decorate(test: F) -> F:
        sentence = " ".join((inspect.getdoc(test) or "").split())

        @functools.wraps(test)
        def kept(*args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            try:
                test(*args, **kwargs)
            except AssertionError as error:
                error.args = (f"{sentence}\n{error}",)
                raise
            except pytest.fail.Exception as error:
                error.msg = f"{sentence}\n{error.msg}"
                raise
            except BaseException as error:
                error.add_note(sentence)
                raise

        kept.needs = frozenset(needs)  # type: ignore[attr-defined]  # read by Conformance._only_what_is_declared
        return kept  # type: ignore[return-value]  # functools.wraps keeps the signature, which mypy cannot see

    return decorate


class Conformance:
    """The base of the kit's classes."""

    lease: float = 0.1
    """Seconds of the leases, delays and times to live whose end the tests wait for."""

    deadline: float = 30.0
    """Seconds after which something that should have happened is taken never to happen."""

    @pytest.fixture
    def declared(self) -> frozenset[Capability]:
        """The capabilities of what is tested."""
        raise NotImplementedError

    @pytest.fixture
    def advance(self) -> Passing:
        """Let a number of seconds pass for the backend. Override it when the backend's clock can be moved."""
        return time.sleep

    @pytest.fixture
    def count_records(self) -> Counting:
        """Count what the server keeps. Override it: the contract has no method that shows what has expired."""
        pytest.skip("count_records is not given: nobody sees whether the server removes what has expired")

    @pytest.fixture(autouse=True)
    def _only_what_is_declared(self, request: pytest.FixtureRequest, declared: frozenset[Capability]) -> None:
        tag_declared(request.node, declared)
        for capability in sorted(getattr(request.function, "needs", frozenset()) - declared, key=lambda c: c.name):
            pytest.skip(f"{capability.name} is not declared: {capability.description}")

    def beyond(self, seconds: float) -> float:
        """A little more than a duration, so that what was to happen after it has happened."""
        return seconds * 1.2


def unique_name(hint: str = "conformance") -> str:
    """Make a name that no other test uses."""
    return f"{hint}-{secrets.token_hex(6)}"


def eventually(look: Callable[[], T], what: str, deadline: float) -> T:
    """Look again and again until something true is seen, at most for ``deadline`` seconds, and return it."""
    end = time.monotonic() + deadline
    while not (seen := look()):
        assert time.monotonic() < end, f"{what}: not within {deadline:g} s"
        time.sleep(0.005)
    return seen


def error_of(call: Callable[[], object]) -> Exception | None:
    """Return what a call raises, or ``None``. Which exception it is, is a driver's own affair."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - the very thing that is asked for
        return error
    return None


def within(seconds: float, call: Callable[[], T], what: str) -> T:
    """Call something in another thread, and fail when it does not return in time."""
    return in_threads([call], seconds, what)[0]


def in_threads(calls: Iterable[Callable[[], T]], seconds: float = 60.0, what: str = "the threads") -> list[T]:
    """Run calls side by side and return their values in order; the first exception, in that order, is raised here."""
    return Threads(calls).values(seconds, what)


class Threads(Generic[T]):
    """Calls that run side by side from now on, each in a thread of its own."""

    def __init__(self, calls: Iterable[Callable[[], T]]) -> None:
        self._threads = [_Thread(call) for call in calls]
        for thread in self._threads:
            thread.start()

    def values(self, seconds: float, what: str) -> list[T]:
        """Wait until all have returned, and return their values in order; the first exception is raised here.

        Raises:
            AssertionError: One of them has not returned within ``seconds``; it says ``what``.
        """
        end = time.monotonic() + seconds
        values: list[T] = []
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
            assert not thread.is_alive(), f"{what}: no return within {seconds:g} s"
            values.append(thread.outcome())
        return values


class _Thread(threading.Thread):
    """A thread whose value or exception can be had afterwards. Daemonic: one that hangs must not hold up the run."""

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self._value: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self._error = error

    def outcome(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value

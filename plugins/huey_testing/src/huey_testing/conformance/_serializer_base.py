"""What the promises of serializers share: what a subclass overrides, and how bytes of others are read."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huey_core.exceptions import DecodeError
from huey_testing.conformance._promises import promise
from huey_testing.conformance._serializer_values import CARRIED, PLAIN, Carried

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from huey_core.serializers import Serializer

__all__ = ["SerializerFactory", "SerializerFixtures", "serializer_promise", "shown", "switching_often", "traced"]

F = TypeVar("F", bound=Callable[..., None])

SerializerFactory = Callable[[], Any]

MEMORY_PER_BYTE: Final = 1024
"""Bytes of memory that a byte of a body may take: more than the emptiest list in the fewest bytes."""


def serializer_promise(test: F) -> F:
    """Make a test of a promise, which the report on the capabilities of a backend leaves out."""
    kept = promise()(test)
    del kept.needs  # type: ignore[attr-defined]  # promise sets it
    return kept


class SerializerFixtures:
    """What a subclass overrides, and what the tests are given."""

    carries: ClassVar[Collection[Carried]] = frozenset()
    """What is carried beyond JSON's plain values. Anything else must be refused, or come back as it was even so."""

    more_values: ClassVar[SearchStrategy[Any]] = st.nothing()
    """A strategy for further values that are carried."""

    hostile: ClassVar[Sequence[bytes]] = ()
    """Bytes of the serializer's own format that would take a careless reader much time or memory; each is refused."""

    memory: ClassVar[int] = 4 * 2**20
    """Bytes of memory that decoding may take beside what the size of the body explains."""

    deadline: float = 10.0
    """Seconds after which something that should have happened is taken never to happen."""

    examples: ClassVar[settings] = settings(
        max_examples=100,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    """How many random values are tried."""

    @pytest.fixture
    def make_serializer(self) -> SerializerFactory:
        """Return a callable that makes a serializer. Every subclass overrides this."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a fixture make_serializer; see huey_testing.conformance"
        )

    @pytest.fixture
    def serializer(self, make_serializer: SerializerFactory) -> Serializer:
        """A serializer."""
        serializer: Serializer = make_serializer()
        return serializer

    def try_with(self, values: SearchStrategy[Any], check: Callable[[Any], object], *, one_of: int = 1) -> None:
        """Call a function with many random values; with fewer of them for one of several kinds of values."""

        @settings(self.examples, max_examples=-(-self.examples.max_examples // one_of))
        @given(values)
        def trial(value: Any) -> None:
            check(value)

        trial()

    def carried_values(self) -> SearchStrategy[Any]:
        """Values that come back as they were."""
        return st.one_of(PLAIN, self.more_values, *(CARRIED[kind] for kind in self.carries))

    def read_or_refused(self, serializer: Serializer, data: bytes, context: bytes = b"") -> bool:
        """Decode bytes of somebody else: they are a value, or a ``DecodeError``. Return whether they are a value."""
        try:
            serializer.decode(data, context)
        except DecodeError:
            return False
        except Exception as error:
            raise AssertionError(f"decoding {shown(data)} raised {type(error).__name__}: {error}") from error
        return True

    def read_cheaply(self, serializer: Serializer, data: bytes) -> bool:
        """The same, and it takes no more memory than the size of the bytes explains."""
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        read = self.read_or_refused(serializer, data)
        taken = tracemalloc.get_traced_memory()[1] - before
        assert taken <= self.memory + MEMORY_PER_BYTE * len(data), f"{shown(data)} took {taken:,} bytes of memory"
        return read

    @pytest.fixture
    def _of_others(self, serializer: Serializer) -> None:
        if serializer.runs_code:
            pytest.skip("runs_code is True: decoding does whatever the bytes say, so nobody else may write them")


def shown(data: bytes) -> str:
    return repr(data) if len(data) <= 80 else f"{data[:60]!r}... of {len(data):,} bytes"


@contextmanager
def traced() -> Iterator[None]:
    """Count the memory that Python takes meanwhile."""
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


@contextmanager
def switching_often() -> Iterator[None]:
    """Let threads take turns so often that they get into each other's way."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)

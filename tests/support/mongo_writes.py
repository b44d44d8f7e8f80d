"""Lets something happen between two writes of huey-mongo: its process is killed, or another one is faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from huey_mongo.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

__all__ = ["BetweenWrites", "Failed", "Killed"]

WRITES = frozenset(
    {"bulk_write", "delete_many", "delete_one", "insert_many", "insert_one", "replace_one", "update_many", "update_one"}
)


class Killed(BaseException):
    """The process is killed: nothing catches that."""


class Failed(BaseException):
    """What was to happen between two writes has failed: nothing catches that, so it fails the test."""


class BetweenWrites:
    """Calls a function once, at one of the moments before and after each write; moment 0 is before the first.

    Args:
        monkeypatch: Takes it away again after the test.
        moment: Which moment.
        happens: What happens then.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, moment: int, happens: Callable[[], None]) -> None:
        self.has_happened = False
        self._left = moment
        self._happens = happens
        collection: Any = Cluster.collection
        monkeypatch.setattr(Cluster, "collection", property(lambda cluster: _Watched(collection.fget(cluster), self)))

    def pass_moment(self) -> None:
        """Note that a write begins or has ended."""
        self._left -= 1
        if self._left == -1:
            self.has_happened = True
            try:
                self._happens()
            except Exception as error:
                raise Failed(repr(error)) from error


class _Watched:
    def __init__(self, collection: Any, between: BetweenWrites) -> None:
        self._collection = collection
        self._between = between

    def with_options(self, **options: Any) -> _Watched:
        return _Watched(self._collection.with_options(**options), self._between)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._collection, name)
        if name not in WRITES:
            return attribute

        def write(*args: Any, **kwargs: Any) -> Any:
            self._between.pass_moment()
            result = attribute(*args, **kwargs)
            self._between.pass_moment()
            return result

        return write

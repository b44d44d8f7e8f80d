"""What every call to the server has: one time limit, however often the driver tries, and errors to be believed."""

from __future__ import annotations

import functools
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, TypeVar

import pymongo
from pymongo.errors import AutoReconnect, OperationFailure
from pymongo.write_concern import WriteConcern

from huey_core.backends import time_left

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from huey_mongo.settings import Settings

__all__ = ["PatientWriteConcern", "limited", "raise_if_broken", "within"]

P = ParamSpec("P")
T = TypeVar("T")

NO_LIMIT: Final = nullcontext()
ILLEGAL_OPERATION: Final = 20
NO_REPETITION: Final = ("Transaction numbers", "does not support retryable writes")
"""What a standalone server says to a repeated write, and what the driver makes of that."""


def within(seconds: float | None) -> AbstractContextManager[Any]:
    """Let what the driver is asked in a block end within so many seconds, or the caller's limit if that is less."""
    left = time_left(seconds)
    return NO_LIMIT if left is None else pymongo.timeout(left)


def raise_if_broken(error: OperationFailure) -> None:
    """Say of a connection that broke that it broke.

    The driver then repeats a write in a way that a standalone server does not know, and says that of the deployment.

    Raises:
        pymongo.errors.AutoReconnect: The connection broke.
    """
    if error.code == ILLEGAL_OPERATION and any(said in str(error) for said in NO_REPETITION):
        raise AutoReconnect(
            "the connection to the server broke before a write was answered, so it may or may not have been made; a "
            "standalone server cannot tell the driver which"
        ) from error


def limited(method: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Let a method of what has a cluster end within the cluster's time limit, with errors that say what happened."""

    @functools.wraps(method)
    def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        settings: Settings = self._cluster.settings
        with within(settings.time_limit):
            try:
                return method(self, *args, **kwargs)
            except OperationFailure as error:
                raise_if_broken(error)
                raise

    return call


class PatientWriteConcern(WriteConcern):
    """A write concern whose own time limit is told to the server also where the call has one.

    Of a call with a time limit the driver would take it away. Then nobody could tell a write that too few members have
    from one that never arrived.
    """

    @property
    def document(self) -> dict[str, Any]:
        """The write concern as the server reads it."""
        return _Kept(super().document)


class _Kept(dict[str, Any]):
    def pop(self, name: str, *default: Any) -> Any:
        return self.get(name, *default)

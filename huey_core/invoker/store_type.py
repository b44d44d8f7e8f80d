"""What an invoker's type says of its result store, by which a type checker knows what a call returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Type checkers know it without its being installed; the defaults of Python's own came with Python 3.13.
    from typing_extensions import TypeVar

    from huey_core.backends.base import BaseDataStore

    StoreT_co = TypeVar("StoreT_co", bound="BaseDataStore | None", covariant=True, default="BaseDataStore | None")
else:
    from typing import TypeVar

    StoreT_co = TypeVar("StoreT_co", covariant=True)

__all__ = ["StoreT_co"]

"""The promises of data stores, in one class to subclass."""

from __future__ import annotations

from huey_testing.conformance._store_forks import StoreForks
from huey_testing.conformance._store_sharing import StoreSharing
from huey_testing.conformance._store_values import StoreValues
from huey_testing.conformance._store_watching import StoreWatching

__all__ = ["DataStoreConformance"]


class DataStoreConformance(StoreValues, StoreSharing, StoreWatching, StoreForks):
    """Every promise of a data store. Override ``make_data_store``; see :mod:`huey_testing.conformance`."""

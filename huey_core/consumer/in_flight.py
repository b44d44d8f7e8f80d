"""The deliveries that this consumer holds a lease on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from huey_core.backends.leased import Delivery

__all__ = ["InFlight"]


class InFlight:
    """A set of deliveries, safe to use from several threads."""

    def __init__(self) -> None:
        self._by_receipt: dict[tuple[str, str], Delivery] = {}

    def add(self, deliveries: Iterable[Delivery]) -> None:
        """Hold deliveries that were just claimed."""
        self._by_receipt.update({(one.message_id, one.receipt): one for one in deliveries})

    def discard(self, delivery: Delivery) -> None:
        """Hold a delivery no longer, because it was settled or its lease was lost."""
        self._by_receipt.pop((delivery.message_id, delivery.receipt), None)

    def __contains__(self, delivery: Delivery) -> bool:
        return (delivery.message_id, delivery.receipt) in self._by_receipt

    def __len__(self) -> int:
        return len(self._by_receipt)

    def all(self) -> list[Delivery]:
        """The deliveries held now, the oldest first."""
        return list(self._by_receipt.values())

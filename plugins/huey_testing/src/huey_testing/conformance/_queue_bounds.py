"""What a leased queue promises when there is very much of something: every call does a bounded part of it."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from huey_core.backends import Capability, Message, Retry
from huey_testing.conformance._promises import Passing, promise
from huey_testing.conformance._queue_base import QueueFixtures

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.backends import Delivery

__all__ = ["QueueBounds"]

MANY: Final = 2000
"""Twice the largest portion, and few enough to be written and claimed in a second or two."""

FALL_DUE: Final[dict[str, Callable[[Any, list[Delivery], float], list[bool]]]] = {
    "leases": lambda queue, deliveries, seconds: queue.extend(deliveries, seconds),
    "delays": lambda queue, deliveries, seconds: queue.settle([Retry(each, b"x", seconds) for each in deliveries]),
}
"""How messages that were claimed fall due together. Until a claim has brought it back, each stays where it is."""


class QueueBounds(QueueFixtures):
    """Promises to those who share a server with a flood."""

    @promise(Capability.LEASES, Capability.DELAY)
    @pytest.mark.parametrize("fall_due", FALL_DUE.values(), ids=FALL_DUE.keys())
    def test_what_falls_due_by_the_thousand_comes_back_in_portions(
        self, queue: Any, advance: Passing, fall_due: Callable[[Any, list[Delivery], float], list[bool]]
    ) -> None:
        """Without this, a server would stand still for everybody while one claim moves the messages of an outage."""
        queue.write_many([Message(b"x") for _ in range(MANY)])
        assert fall_due(queue, self.claim_soon(queue, MANY), self.lease) == [True] * MANY
        advance(self.beyond(self.lease))
        first = self.claim_one(queue)
        assert queue.counts().ready < MANY - 1
        others = self.claim_soon(queue, MANY - 1)
        assert len({delivery.message_id for delivery in (first, *others)}) == MANY

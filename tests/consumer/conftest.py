"""A command; and time that passes for a running consumer's leases, however busy the machine is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from huey_core import Invoker, queue_command
from huey_core.consumer import Consumer
from huey_core.decorators import CommandFunction
from huey_memory import ManualClock


@pytest.fixture
def add(invoker: Invoker) -> CommandFunction[[int, int], int, Any]:
    """A command of the test's invoker."""

    @queue_command(invoker)
    def add(a: int, b: int) -> int:
        return a + b

    return add


@pytest.fixture
def pass_two_leases(eventually) -> Callable[[Consumer, ManualClock], None]:
    """Let two leases pass by the clock of a consumer's queue, while the consumer renews its own as often as it must."""

    def pass_two_leases(consumer: Consumer, clock: ManualClock) -> None:
        keeper, renewed_at = consumer.queues[0].lease_renewal, float("-inf")
        renew_really = keeper.renew

        def renew() -> None:
            nonlocal renewed_at
            began = clock()
            renew_really()
            renewed_at = began

        keeper.renew = renew
        for _ in range(3):
            clock.advance(consumer.lease * 0.9)
            eventually(lambda: renewed_at == clock(), "the leases are renewed")

    return pass_two_leases

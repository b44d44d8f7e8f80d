"""What is in flight, and until when a delivery may be started."""

from __future__ import annotations

import pytest

from huey_core.backends.messages import Delivery
from huey_core.consumer.in_flight import InFlight

DELIVERY = Delivery(b"message", "id", "receipt", 1, None)


@pytest.fixture
def in_flight():
    """What holds one delivery, whose lease ends at 10 at the earliest."""
    in_flight = InFlight()
    in_flight.add([DELIVERY], 10.0)
    return in_flight


def test_a_delivery_may_start_before_its_lease_can_have_ended(in_flight):
    assert in_flight.leased_until(DELIVERY) == 10.0


def test_a_renewed_lease_lasts_longer(in_flight):
    in_flight.renewed(DELIVERY, 20.0)

    assert in_flight.leased_until(DELIVERY) == 20.0


def test_what_is_renewed_though_it_was_settled_meanwhile_is_not_in_flight_again(in_flight):
    in_flight.discard(DELIVERY)

    in_flight.renewed(DELIVERY, 20.0)

    assert DELIVERY not in in_flight


def test_a_delivery_whose_lease_was_lost_may_not_start(in_flight):
    in_flight.lost(DELIVERY)

    assert in_flight.leased_until(DELIVERY) < 0.0


def test_what_has_no_lease_may_always_start():
    in_flight = InFlight()
    in_flight.add([DELIVERY])

    in_flight.renewed(DELIVERY, 20.0)

    assert in_flight.leased_until(DELIVERY) == float("inf")

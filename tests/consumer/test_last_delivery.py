"""How a message that may kill its consumer is kept away from others."""

from __future__ import annotations

import pytest

from huey_core.backends.leased import Delivery, Release
from huey_core.consumer.held import HeldDeliveries
from huey_core.consumer.last_delivery import LastDelivery


@pytest.fixture
def held():
    return HeldDeliveries()


@pytest.fixture
def outbox():
    """What is given back; only ``add`` is needed of the real one."""

    class Outbox(list):
        add = list.append

    return Outbox()


def deliveries(*attempts):
    return [Delivery(b"", f"message {number}", "receipt", attempt) for number, attempt in enumerate(attempts)]


def test_only_one_message_on_its_last_delivery_is_kept_and_no_other_that_was_redelivered(held, outbox):
    claimed = deliveries(1, 3, 3, 2, 1)

    kept = LastDelivery(3, held, outbox).set_apart(claimed)

    assert [one.attempt for one in kept] == [1, 3, 1]
    assert outbox == [Release(claimed[2]), Release(claimed[3])]


def test_messages_before_their_last_delivery_are_held_together(held, outbox):
    claimed = deliveries(1, 2, 2)

    assert LastDelivery(3, held, outbox).set_apart(claimed) == claimed
    assert outbox == []


def test_a_message_on_its_last_delivery_is_known_for_as_long_as_it_is_held(held, outbox):
    last_delivery = LastDelivery(3, held, outbox)
    [claimed] = deliveries(3)
    held.add([claimed])
    last_delivery.set_apart([claimed])
    assert last_delivery.is_held()

    held.discard(claimed)

    assert not last_delivery.is_held()


def test_nothing_is_set_apart_when_every_delivery_is_the_last(held, outbox):
    last_delivery = LastDelivery(1, held, outbox)
    claimed = deliveries(1, 1)
    held.add(claimed)

    assert last_delivery.set_apart(claimed) == claimed
    assert not last_delivery.is_held()

"""Promises of a worker pool that runs deliveries in other processes: what it tells the consumer's runner of them."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from huey_testing._pool_work import Work, WorkRunner
from huey_testing.conformance._pool_base import PoolFactory, PoolFixtures, pool_promise

if TYPE_CHECKING:
    from huey_core.backends import Delivery
    from huey_core.workers import WorkerPool

__all__ = ["PoolRemote"]


class PoolRemote(PoolFixtures):
    """What a pool promises that calls itself remote."""

    @pool_promise()
    def test_an_outcome_of_another_process_is_handed_on_with_the_delivery_of_this_one(
        self, new_pool: PoolFactory, work: Work, runner: WorkRunner
    ) -> None:
        """Without this, commands would run and never end: their messages came back lease after lease."""
        pool = _only_remote(new_pool(2))
        deliveries = work.deliveries(10)
        pool.put(deliveries, runner)
        self.all_ended(work, 10)
        assert sorted(work.subjects("finish")) == sorted(delivery.message_id for delivery in deliveries)
        assert {event.pid for event in work.events("finish")}.isdisjoint(event.pid for event in work.events("begin"))

    @pool_promise()
    def test_what_may_not_be_begun_any_more_is_not_begun(self, new_pool: PoolFactory, work: Work) -> None:
        """Without this, a command would run here while another consumer, which has its message now, runs it too."""
        pool = _only_remote(new_pool(1))
        runner = _Late(work)
        pool.put([late := work.delivery(), in_time := work.delivery()], runner)
        self.all_ended(work, 1)
        assert (work.subjects("not_started"), work.subjects("begin")) == ([late.message_id], [in_time.message_id])


def _only_remote(pool: WorkerPool) -> WorkerPool:
    if not pool.remote:
        pytest.skip("it is not remote: it runs deliveries in the process of the consumer")
    return pool


class _Late(WorkRunner):
    """Has deliveries of which the first is another consumer's by now."""

    def leased_until(self, delivery: Delivery) -> float:
        """Long ago for the first."""
        return float("-inf") if delivery.message_id == "1" else super().leased_until(delivery)

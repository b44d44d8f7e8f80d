"""Servers and clients of them that each break one promise."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from redis.exceptions import RedisError

from huey_core.backends import Claim, State
from huey_redis import RedisBackend, RedisQueue
from mutants import caught_by


@caught_by(
    "test_a_restart_between_two_calls_costs_no_error_and_no_message",
    "test_what_was_accepted_survives_a_crash",
)
class ForgetsWhenItStops(RedisBackend):
    appendonly = False


@caught_by(
    "test_a_write_is_an_error_while_the_server_is_down",
    "test_a_claim_that_waits_gets_an_error_from_a_crash_and_works_afterwards",
)
class HidesThatItsServerIsDown(RedisBackend):
    def queue(self, name):
        return NeverComplains(name, connections=self._connections)


@caught_by("test_a_server_that_does_not_answer_is_given_up")
class WaitsForEver(RedisBackend):
    timeout = "300"


@caught_by("test_a_server_that_does_not_answer_is_given_up")
class GivesUpConnectingOnly(RedisBackend):
    def queue(self, name):
        return WaitsOnceItIsConnected(name, connections=self._connections)


class WaitsOnceItIsConnected(RedisQueue):
    thread = threading.local()

    def claim(self, limit, lease, wait=0.0):
        if not getattr(self.thread, "is_connected", False):
            self.thread.is_connected = True
            return super().claim(limit, lease, wait)
        while True:
            with suppress(RedisError):
                return super().claim(limit, lease, wait)


@caught_by("test_a_wrong_clock_of_a_client_ends_no_lease_and_no_delay")
class TellsItsOwnTime(RedisBackend):
    def queue(self, name):
        return GoesByItsOwnClock(name, connections=self._connections)


class GoesByItsOwnClock(RedisQueue):
    def now(self):
        return time.time()


@caught_by("test_a_wrong_clock_of_a_client_ends_no_lease_and_no_delay")
class EndsDelaysByItsOwnClock(RedisBackend):
    def queue(self, name):
        return ClaimsByItsOwnClock(name, connections=self._connections)


class ClaimsByItsOwnClock(RedisQueue):
    def claim(self, limit, lease, wait=0.0):
        self.requeue([each.message_id for each in self.peek(State.SCHEDULED) if each.due <= time.time()])
        return super().claim(limit, lease, wait)


class NeverComplains(RedisQueue):
    def write(self, data, **options):
        with suppress(RedisError):
            return super().write(data, **options)

    def claim(self, limit, lease, wait=0.0):
        with suppress(RedisError):
            return super().claim(limit, lease, wait)
        return Claim([], [])

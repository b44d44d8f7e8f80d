"""Servers and clients of them that each break one promise, with the name of the conformance test that must find it.

They exist to prove the kit: a test that lets one of them pass proves nothing about any other server.
"""

from __future__ import annotations

from contextlib import suppress

from redis.exceptions import RedisError

from huey_core.backends.leased import Claim
from huey_redis import RedisBackend, RedisQueue


class ForgetsAtARestart(RedisBackend):
    caught_by = "test_a_restart_between_two_calls_costs_no_error_and_no_message"

    appendonly = False


class ForgetsInACrash(RedisBackend):
    caught_by = "test_what_was_accepted_survives_a_crash"

    appendonly = False


class WritesIntoTheVoid(RedisBackend):
    caught_by = "test_a_write_is_an_error_while_the_server_is_down"

    def queue(self, name):
        return NeverComplains(name, connections=self._connections)


class TakesACrashForAnEmptyQueue(RedisBackend):
    caught_by = "test_a_claim_that_waits_gets_an_error_from_a_crash_and_works_afterwards"

    def queue(self, name):
        return NeverComplains(name, connections=self._connections)


class WaitsForEver(RedisBackend):
    caught_by = "test_a_server_that_does_not_answer_is_given_up"

    timeout = "300"


class NeverComplains(RedisQueue):
    def write(self, data, **options):
        with suppress(RedisError):
            return super().write(data, **options)

    def claim(self, limit, lease, wait=0.0):
        with suppress(RedisError):
            return super().claim(limit, lease, wait)
        return Claim([], [])

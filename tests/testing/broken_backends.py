"""Backends that each break one promise, with the name of the conformance test that must find it.

They exist to prove the kit: a test that lets one of them pass proves nothing about any other backend.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace

from huey_core.backends.capabilities import Capability
from huey_core.backends.leased import Claim
from huey_core.exceptions import QueueException
from huey_memory import MemoryBackend, MemoryQueue


class FlushesTheWholeServer(MemoryQueue):
    def flush(self):
        self.space.clear()


class ConnectsAtOnce(MemoryBackend):
    caught_by = "test_nothing_connects_before_the_first_call"

    def __init__(self, url):
        super().__init__(url)
        sqlite3.connect(":memory:").close()


class ShowsItsPassword(MemoryBackend):
    caught_by = "test_a_password_is_never_shown"

    def __init__(self, url):
        super().__init__(replace(url, username=None, password=None))
        self.given = url

    def __repr__(self):
        return f"<ShowsItsPassword {self.given.render(hide_password=False)}>"


class DeclaresTooLittle(MemoryBackend):
    caught_by = "test_its_parts_can_do_together_what_it_declares"

    capabilities = frozenset()


class IgnoresItsOptions(MemoryBackend):
    caught_by = "test_max_deliveries_of_the_url_reaches_the_queue"

    def queue(self, name):
        return MemoryQueue(name, space=self.space)


class FlushesTheStoreWithTheQueue(MemoryBackend):
    caught_by = "test_a_queue_and_a_store_of_one_name_are_two_things"

    def queue(self, name):
        queue = FlushesTheWholeServer(name, space=self.space)
        queue.max_deliveries = self.url.options["max_deliveries"]
        return queue


class GoesOnAfterTheClose(MemoryBackend):
    caught_by = "test_what_was_closed_is_of_no_more_use"

    def close(self):
        pass


class ClosesTheWholeServer(MemoryBackend):
    caught_by = "test_a_close_leaves_other_backends_alone"

    def close(self):
        super().close()
        self._access.space.clear()


class ClosesInSilence(MemoryBackend):
    caught_by = "test_a_close_calls_every_watch_a_last_time"

    def close(self):
        self._access._closed = True


class LetsAWaitGoOn(ClosesInSilence):
    caught_by = "test_a_close_ends_a_wait_for_a_key_with_an_error"


class LooksOnAfterTheClose(MemoryBackend):
    caught_by = "test_a_close_ends_a_claim_that_waits_with_an_error"

    def queue(self, name):
        return TakesAClosedQueueForAnEmptyOne(name, access=self._access)


class TakesAClosedQueueForAnEmptyOne(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        try:
            return super().claim(limit, lease, wait)
        except QueueException:
            time.sleep(0.01)
            return Claim([], [])


class TakesItsMemoryForADisk(MemoryBackend):
    """What a backend does whose processes do not see each other."""

    caught_by = "test_processes_that_claim_at_once_share_no_message_and_leave_none"

    capabilities = MemoryBackend.capabilities | {Capability.PERSISTENT}


class IsDeafToOtherProducers(TakesItsMemoryForADisk):
    caught_by = "test_a_claim_that_waits_hears_of_another_process"


class IsDeafToOtherWriters(TakesItsMemoryForADisk):
    caught_by = "test_a_wait_for_a_key_hears_of_another_process"


class EndsWithAnyPart(MemoryBackend):
    caught_by = "test_closing_a_part_leaves_the_backend_open"

    def queue(self, name):
        queue = super().queue(name)
        queue._owns_access = True
        return queue

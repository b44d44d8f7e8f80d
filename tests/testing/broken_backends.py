"""Backends that each break one promise."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace

from huey_core.backends.capabilities import Capability
from huey_core.backends.messages import Claim
from huey_core.exceptions import QueueException
from huey_memory import MemoryBackend, MemoryQueue
from mutants import caught_by


class FlushesTheWholeServer(MemoryQueue):
    def flush(self):
        self.space.clear()


@caught_by("test_nothing_connects_before_the_first_call")
class ConnectsAtOnce(MemoryBackend):
    def __init__(self, url):
        super().__init__(url)
        sqlite3.connect(":memory:").close()


@caught_by("test_a_password_is_never_shown")
class ShowsItsPassword(MemoryBackend):
    def __init__(self, url):
        super().__init__(replace(url, username=None, password=None))
        self.given = url

    def __repr__(self):
        return f"<ShowsItsPassword {self.given.render(hide_password=False)}>"


@caught_by("test_its_parts_can_do_together_what_it_declares")
class DeclaresTooLittle(MemoryBackend):
    capabilities = frozenset()


@caught_by("test_max_deliveries_of_the_url_reaches_the_queue")
class IgnoresItsOptions(MemoryBackend):
    def queue(self, name):
        return MemoryQueue(name, space=self.space)


class MakesSiblingsAsTheUsualQueue(MemoryQueue):
    def sibling(self, name):
        return MemoryQueue(name, max_deliveries=self.max_deliveries)


@caught_by("test_a_queue_beside_another_is_the_backends_own_of_that_name")
class HasItsSiblingsElsewhere(MemoryBackend):
    def queue(self, name):
        return MakesSiblingsAsTheUsualQueue(name, space=self.space, max_deliveries=self.url.options["max_deliveries"])


@caught_by("test_a_queue_and_a_store_of_one_name_are_two_things")
class FlushesTheStoreWithTheQueue(MemoryBackend):
    def queue(self, name):
        queue = FlushesTheWholeServer(name, space=self.space)
        queue.max_deliveries = self.url.options["max_deliveries"]
        return queue


@caught_by("test_what_was_closed_is_of_no_more_use")
class GoesOnAfterTheClose(MemoryBackend):
    def close(self):
        pass


@caught_by("test_a_close_leaves_other_backends_alone")
class ClosesTheWholeServer(MemoryBackend):
    def close(self):
        super().close()
        self._access.space.clear()


@caught_by("test_a_close_calls_every_watch_a_last_time", "test_a_close_ends_a_wait_for_a_key_with_an_error")
class ClosesInSilence(MemoryBackend):
    def close(self):
        self._access._closed = True


@caught_by("test_a_close_ends_a_claim_that_waits_with_an_error")
class LooksOnAfterTheClose(MemoryBackend):
    def queue(self, name):
        return TakesAClosedQueueForAnEmptyOne(name, access=self._access)


class TakesAClosedQueueForAnEmptyOne(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        try:
            return super().claim(limit, lease, wait)
        except QueueException:
            time.sleep(0.01)
            return Claim([], [])


@caught_by(
    "test_processes_that_claim_at_once_share_no_message_and_leave_none",
    "test_a_claim_that_waits_hears_of_another_process",
    "test_a_wait_for_a_key_hears_of_another_process",
)
class TakesItsMemoryForADisk(MemoryBackend):
    """What a backend does whose processes do not see each other."""

    capabilities = MemoryBackend.capabilities | {Capability.PERSISTENT}


@caught_by("test_setting_up_says_what_is_there")
class SaysNothingOfWhatItMade(MemoryBackend):
    def set_up(self):
        return ["the memory of this process\nis there", ""]


@caught_by("test_setting_up_again_leaves_what_is_there_alone")
class BeginsAnewWhenItIsSetUp(MemoryBackend):
    def set_up(self):
        self._access.space.clear()
        return []


@caught_by("test_a_queue_in_use_is_listed")
class ListsQueuesWithReadyMessages(MemoryBackend):
    def queue_names(self):
        return [name for name in super().queue_names() if len(self.queue(name))]


@caught_by("test_a_queue_that_is_empty_again_is_not_listed", "test_a_queue_in_use_is_listed")
class ListsEveryQueueThereWas(MemoryBackend):
    def queue_names(self):
        return sorted(self._access.space._lines)


@caught_by("test_queues_of_any_name_are_listed_in_order")
class ListsQueuesAsTheyCome(MemoryBackend):
    def queue_names(self):
        return super().queue_names()[::-1]


@caught_by("test_queues_of_any_name_are_listed_in_order")
class ListsSimplerNames(MemoryBackend):
    def queue_names(self):
        return sorted({name.strip() for name in super().queue_names()})


@caught_by("test_a_data_store_is_not_listed_as_a_queue")
class ListsDataStores(MemoryBackend):
    def queue_names(self):
        return sorted([*super().queue_names(), *self._access.space._drawers])


@caught_by("test_queues_are_listed_or_that_is_refused_by_name")
class ListsQueuesAndDoesNotSaySo(MemoryBackend):
    capabilities = MemoryBackend.capabilities - {Capability.LIST_QUEUES}


@caught_by("test_closing_a_part_leaves_the_backend_open")
class EndsWithAnyPart(MemoryBackend):
    def queue(self, name):
        queue = super().queue(name)
        queue._owns_access = True
        return queue

"""Backends that each break one promise, with the name of the conformance test that must find it.

They exist to prove the kit: a test that lets one of them pass proves nothing about any other backend.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace

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

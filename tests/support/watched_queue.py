"""A queue that notes its writes and lets a test hold them up, for what enqueues in an event loop."""

from __future__ import annotations

import asyncio
import threading

from huey_core import hookimpl
from huey_core.exceptions import CommandRejected
from huey_memory import MemoryQueue

__all__ = ["PATIENCE", "Refusing", "WatchedQueue", "until"]

PATIENCE = 60.0


class WatchedQueue(MemoryQueue):
    """Notes each write, and whose thread it was in; a write waits for the gate, and raises what it is told to."""

    def __init__(self, name="watched", **connection):
        super().__init__(name, **connection)
        self.max_message_size = 100_000
        self.writes = []
        self.threads = set()
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.error = None

    def write_many(self, messages):
        self.threads.add(threading.current_thread())
        self.begun.set()
        assert self.gate.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        written = super().write_many(messages)
        self.writes.append([message.message_id for message in messages])
        return written


class Refusing:
    """Refuses commands that are called with a negative number."""

    @hookimpl
    def huey_before_enqueue(self, command):
        if command.data[0] and command.data[0][0] == -1:
            raise CommandRejected("negative")


async def until(condition):
    """Wait in the event loop, which so has many turns, until a condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)

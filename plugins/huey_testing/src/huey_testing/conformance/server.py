"""The promises of a backend whose server restarts, crashes and hangs, in one class to subclass."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from huey_core.backends import Ack, Capability, Message, ResultWrite
from huey_testing.conformance._backend_base import BackendFixtures
from huey_testing.conformance._promises import Threads, error_of, eventually, promise, within
from huey_testing.conformance._queue_base import LONG

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.backends import Backend
    from huey_testing.server_process import ServerProcess

__all__ = ["ServerConformance"]

HOUR: Final = 3600.0
"""More than any lease and delay here, and than what two calls take."""


class ServerConformance(BackendFixtures):
    """Every promise about a server that is not always there. Override ``server`` and ``url``."""

    server_has_clock: bool = True
    """Whether leases and delays go by the server's clock; only one that cannot tell the time goes by its client's."""

    @pytest.fixture
    def server(self) -> ServerProcess:
        """Return a server that was started for this test alone and keeps on disk what it has accepted."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture server; see huey_testing.conformance")

    @pytest.fixture
    def queue(self, backend: Backend) -> Any:
        """A queue on that server."""
        return backend.queue("queue")

    def wait_for(self, queue: Any) -> None:
        """Wait until a driver that has found no server sees that there is one again: it may look only now and then."""
        eventually(lambda: error_of(queue.counts) is None, "a queue that works on a server that is back", self.deadline)

    @promise(Capability.PERSISTENT, Capability.LEASES)
    def test_a_restart_between_two_calls_costs_no_error_and_no_message(self, server: ServerProcess, queue: Any) -> None:
        """Without this, an upgrade of the server would cost commands, or an error to whoever enqueues the next one."""
        queue.write(b"before")
        running = queue.claim(1, LONG).deliveries
        server.restart()
        queue.write(b"after")
        assert queue.settle([Ack(delivery) for delivery in running]) == [True]
        assert queue.read() == b"after"

    @promise(Capability.PERSISTENT, Capability.LEASES, Capability.ATOMIC_SETTLE)
    def test_what_was_accepted_survives_a_crash(self, server: ServerProcess, queue: Any, backend: Backend) -> None:
        """Without this, a crash of the server would lose commands and results that it had confirmed."""
        store = backend.data_store("store")
        queue.write_many([Message(b"%d" % number) for number in range(3)])
        first, second = queue.claim(2, LONG).deliveries
        queue.settle([Ack(first, ResultWrite(store, "result", b"done"))])
        server.kill()
        server.start()
        # Who used a connection before the crash may learn of it from the first call, and must not from a later one.
        error_of(queue.counts)
        assert store.get("result") == b"done"
        assert queue.settle([Ack(second)]) == [True]
        assert queue.read() == b"2"

    @promise(Capability.PERSISTENT, Capability.LEASES)
    def test_a_write_is_an_error_while_the_server_is_down(self, server: ServerProcess, queue: Any) -> None:
        """Without this, a producer would take a command for enqueued that nobody has, or wait for hours."""
        queue.write(b"before")
        server.kill()
        assert within(self.deadline, lambda: error_of(lambda: queue.write(b"lost")), "a write")
        server.start()
        self.wait_for(queue)
        assert [queue.read(), queue.read()] == [b"before", None]

    @promise(Capability.PERSISTENT, Capability.LEASES, Capability.BLOCKING)
    def test_a_claim_that_waits_gets_an_error_from_a_crash_and_works_afterwards(
        self, server: ServerProcess, queue: Any
    ) -> None:
        """Without this, a consumer would take a server that is gone for a queue that is empty, or never come back."""
        assert queue.claim(1, LONG, wait=0.01).deliveries == []
        server.kill()
        error = within(
            self.deadline, lambda: error_of(lambda: queue.claim(1, LONG, wait=3 * self.deadline).deliveries), "a claim"
        )
        assert error
        server.start()
        self.wait_for(queue)
        queue.write(b"x")
        assert [delivery.data for delivery in queue.claim(1, LONG, wait=self.deadline).deliveries] == [b"x"]

    @promise(Capability.PERSISTENT, Capability.LEASES)
    def test_a_server_that_does_not_answer_is_given_up(
        self, server: ServerProcess, queue: Any, backend: Backend
    ) -> None:
        """Without this, a web server would hang with the server of its queue."""
        calls: dict[str, Callable[[], object]] = {
            "claim": partial(queue.claim, 1, LONG, wait=0.1),
            "write": partial(queue.write, b"x"),
            "get": partial(backend.data_store("store").get, "key"),
        }
        connected, is_silent = threading.Barrier(len(calls) + 1), threading.Event()

        def call_twice(call: Callable[[], object]) -> Exception | None:
            # The first time, so that the thread has its connection when the server falls silent.
            call()
            connected.wait(self.deadline)
            is_silent.wait(self.deadline)
            return error_of(call)

        calling = Threads([partial(call_twice, call) for call in calls.values()])
        connected.wait(self.deadline)
        server.suspend()
        is_silent.set()
        try:
            errors = calling.values(self.deadline, "a call of a server that is silent")
        finally:
            server.resume()
        assert [name for name, error in zip(calls, errors, strict=True) if error is None] == []
        # The claim whose answer came too late may hold the message, until its lease is over.
        self.wait_for(queue)
        counts = queue.counts()
        assert counts.running + counts.ready in {1, 2}

    @promise(Capability.LEASES, Capability.DELAY)
    def test_a_wrong_clock_of_a_client_ends_no_lease_and_no_delay(self, queue: Any) -> None:
        """Without this, a machine whose clock is wrong would run reminders early, and what others are running."""
        queue.write(b"running")
        queue.write(b"scheduled", eta=queue.now() + LONG)
        assert len(queue.claim(1, LONG).deliveries) == 1
        here = queue.now()
        with pytest.MonkeyPatch.context() as clock:
            ahead = time.time() + HOUR
            clock.setattr(time, "time", lambda: ahead)
            clock.setattr(time, "time_ns", lambda: int(ahead * 1e9))
            now, claimed = queue.now(), queue.claim(1, LONG).deliveries
        if self.server_has_clock:
            assert now == pytest.approx(here, abs=HOUR / 2)
            assert claimed == []
        else:
            assert now == pytest.approx(here + HOUR, abs=HOUR / 2)

"""The promises of backends, in one class to subclass."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import functools
import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from huey_core.backends import HUEY_PLUGIN_API, Ack, BackendURL, Capability, LeasedQueue, Message, Reported, State
from huey_core.exceptions import ConfigurationError
from huey_core.plugins import open_backend
from huey_testing.conformance._backend_base import BackendFixtures
from huey_testing.conformance._backend_closing import BackendClosing
from huey_testing.conformance._backend_operations import BackendOperations
from huey_testing.conformance._backend_processes import BackendProcesses
from huey_testing.conformance._promises import eventually, promise, unique_name, within
from huey_testing.conformance._queue_base import LONG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from huey_core.backends import Backend

__all__ = ["BackendConformance"]

SECRET: Final = "open-sesame"  # noqa: S105 - it opens nothing

CONNECTIONS: Final = frozenset({"socket.connect", "socket.getaddrinfo", "sqlite3.connect"})
"""The audit events by which Python tells that something connects."""


class _BackendParts(BackendFixtures):
    """Promises of a backend and its parts."""

    killed_lease: float = 0.3
    """Seconds of the lease of a process that is killed while it holds messages."""

    @promise()
    def test_it_declares_what_it_is(self, backend: Backend) -> None:
        """Without this, a URL could not find its plugin, or a plugin for another version would be loaded."""
        assert backend.schemes
        assert [scheme for scheme in backend.schemes if scheme != scheme.lower() or "_" in scheme] == []
        assert backend.url.scheme in backend.schemes
        assert backend.api_version == HUEY_PLUGIN_API
        assert all(isinstance(capability, Capability) for capability in backend.capabilities)

    @promise()
    def test_its_parts_can_do_together_what_it_declares(self, backend: Backend) -> None:
        """Without this, a command would be accepted that its queue cannot handle, or refused for no reason."""
        queue, store = backend.queue(unique_name()), backend.data_store(unique_name())
        assert queue.capabilities | store.capabilities == backend.capabilities
        assert isinstance(queue, LeasedQueue) is (Capability.LEASES in backend.capabilities)

    @promise()
    def test_its_parts_have_the_names_they_were_asked_for(self, backend: Backend) -> None:
        """Without this, an error or a log line would speak of another queue than the one that is meant."""
        assert backend.queue("some queue").name == "some queue"
        assert backend.data_store("some store").name == "some store"

    @promise()
    def test_every_option_says_in_one_line_what_it_is(self, backend: Backend) -> None:
        """Without this, ``huey info`` would show an option that nobody can use."""
        for option in backend.options:
            assert option.name
            assert option.help.strip(), f"the option {option.name} has no help"
            assert "\n" not in option.help

    @promise()
    def test_an_unknown_option_is_refused_by_name(self, url: str) -> None:
        """Without this, a typing error in a URL would silently leave a setting at its default."""
        with pytest.raises(ConfigurationError, match="no_such_option"):
            open_backend(_with_option(url, "no_such_option=1"))

    @promise(Capability.LEASES)
    def test_max_deliveries_of_the_url_reaches_the_queue(self, url: str) -> None:
        """Without this, the limit that an operator has set for crashing commands would not hold."""
        queue = open_backend(_with_option(url, "max_deliveries=2")).queue(unique_name())
        assert isinstance(queue, LeasedQueue)
        assert queue.max_deliveries == 2

    @promise()
    def test_nothing_connects_before_the_first_call(self, url: str) -> None:
        """Without this, importing an application would fail, or hang, while its server is away."""
        open_backend(url).close()
        with _connections() as seen:
            backend = open_backend(url)
            backend.queue(unique_name())
            backend.data_store(unique_name())
        backend.close()
        assert seen == []

    @promise()
    def test_ping_answers(self, backend: Backend) -> None:
        """Without this, ``huey info`` and health checks could not tell a server that is there from one that is not."""
        within(self.deadline, backend.ping, "ping()")

    @promise()
    def test_it_describes_its_server_in_text(self, backend: Backend) -> None:
        """Without this, an operator could not see which server, and which durability, the commands depend on."""
        described = backend.describe()
        assert all(isinstance(text, str) and "\n" not in text for pair in described.items() for text in pair)
        assert all(isinstance(warning, str) for warning in backend.warnings())

    @promise()
    def test_a_password_is_never_shown(self, url: str) -> None:
        """Without this, the password of the server would stand in logs and bug reports."""
        with_password = replace(BackendURL.parse(url), username="user", password=SECRET).render(hide_password=False)
        shown: list[object] = []
        try:
            backend = open_backend(with_password)
            shown += [backend, backend.url, backend.queue("queue"), backend.data_store("store")]
            backend.close()
        except ConfigurationError as refused:
            shown.append(refused)
        assert SECRET not in " ".join(f"{part!r} {part}" for part in shown)

    @promise()
    def test_messages_go_from_one_backend_to_another(self, url: str) -> None:
        """Without this, what a web process enqueues would never reach the consumer."""
        name = unique_name()
        producer, consumer = open_backend(url), open_backend(url)
        producer.queue(name).write(b"message")
        producer.data_store(name).put("key", b"value")
        assert consumer.queue(name).read() == b"message"
        assert consumer.data_store(name).get("key") == b"value"
        producer.close()
        consumer.close()

    @promise()
    def test_a_queue_beside_another_is_the_backends_own_of_that_name(self, backend: Backend) -> None:
        """Without this, a command of another queue would be written where no consumer of that queue looks."""
        name = unique_name()
        first: Any = backend.queue(unique_name())
        beside = first.sibling(name)
        beside.write(b"message")
        assert (beside.name, backend.queue(name).read(), first.read()) == (name, b"message", None)
        if Capability.LEASES in backend.capabilities:
            assert beside.max_deliveries == first.max_deliveries

    @promise()
    def test_a_queue_and_a_store_of_one_name_are_two_things(self, backend: Backend) -> None:
        """Without this, flushing the results would flush the commands."""
        name = unique_name()
        queue, store = backend.queue(name), backend.data_store(name)
        queue.write(b"message")
        store.put("key", b"value")
        store.flush()
        assert len(queue) == 1
        store.put("key", b"value")
        queue.flush()
        assert store.get("key") == b"value"

    @promise(Capability.ATOMIC_SETTLE)
    def test_its_queue_settles_into_its_store(self, backend: Backend) -> None:
        """Without this, a crash could fall between a command's end and its result."""
        queue: Any = backend.queue(unique_name())
        assert queue.settles_into(backend.data_store(unique_name())) is True

    @promise(Capability.PERSISTENT)
    def test_messages_outlive_the_objects_that_wrote_them(self, url: str) -> None:
        """Without this, commands would be gone when the process that enqueued them ends."""
        name = unique_name()
        writer = open_backend(url)
        writer.queue(name).write(b"message")
        writer.close()
        reader = open_backend(url)
        assert reader.queue(name).read() == b"message"
        reader.close()

    @promise(Capability.PERSISTENT, Capability.LEASES)
    def test_a_killed_process_loses_nothing(self, url: str, backend: Backend) -> None:
        """Without this, the commands of a consumer that is killed (out of memory, power, deployment) would be lost."""
        queue: Any = backend.queue(unique_name())
        messages = [Message(b"%d" % number) for number in range(5)]
        queue.write_many(messages)
        with self._holder() as ask:
            held = ask({"url": url, "queue": queue.name, "count": len(messages), "buried": 0, "lease": LONG})
            assert sorted(held) == sorted(message.message_id for message in messages)
            assert queue.claim(10, LONG).deliveries == []
            assert queue.counts().running == len(messages)
            # Shortened only now, so that nothing above has to be done in time.
            assert ask(self.killed_lease) == [True] * len(messages)
        back: list[Any] = []

        def all_back() -> bool:
            back.extend(queue.claim(10, LONG, wait=0.1).deliveries)
            return len(back) >= len(messages)

        eventually(all_back, "the messages of the killed process", self.killed_lease + self.deadline)
        assert [(delivery.data, delivery.attempt) for delivery in back] == [(message.data, 2) for message in messages]
        assert queue.settle([Ack(delivery) for delivery in back]) == [True] * len(messages)
        assert [queue.peek(state) for state in State] == [[], [], [], []]

    @promise(Capability.PERSISTENT, Capability.LEASES)
    def test_a_dead_letter_that_a_killed_process_was_to_report_is_named_to_another(
        self, url: str, backend: Backend
    ) -> None:
        """Without this, whoever waits for a command that kills its consumers would never hear that it is given up."""
        queue: Any = backend.queue(unique_name())
        queue.write(b"killer", message_id="killer")
        assert len(queue.claim(1, self.killed_lease).deliveries) == 1
        with self._holder() as ask:
            lenient = {"url": _with_option(url, "max_deliveries=1"), "queue": queue.name, "lease": self.killed_lease}
            assert ask({**lenient, "count": 0, "buried": 1}) == ["killer"]

        def named() -> Any:
            return queue.claim(1, LONG, wait=0.1).buried

        patience = self.killed_lease + self.deadline
        assert eventually(named, "the dead letter of the killed process", patience) == ["killer"]
        if Capability.ATOMIC_SETTLE in queue.capabilities:
            queue.report_done([Reported("killer", (Message(b"what follows"),))])
            claimed = queue.claim(10, LONG, wait=self.deadline).deliveries
            assert [delivery.data for delivery in claimed] == [b"what follows"]

    @contextmanager
    def _holder(self) -> Iterator[Callable[[object], Any]]:
        """Start a process that claims messages when it is asked to, and kill it with SIGKILL while it holds them."""
        process = subprocess.Popen(
            [sys.executable, "-m", "huey_testing.holder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        orders, answers = process.stdin, process.stdout
        assert orders is not None
        assert answers is not None

        def ask(order: object) -> Any:
            orders.write(json.dumps(order) + "\n")
            orders.flush()
            return json.loads(within(3 * self.deadline, answers.readline, "an answer of another process") or "[]")

        with process:
            try:
                yield ask
            finally:
                process.kill()


class BackendConformance(_BackendParts, BackendOperations, BackendProcesses, BackendClosing):
    """Every promise of a backend. Override ``url``; see :mod:`huey_testing.conformance`."""


def _with_option(url: str, option: str) -> str:
    """Add an option to a URL. One that hides its password in tracebacks goes on hiding it."""
    return type(url)(f"{url}{'&' if '?' in url else '?'}{option}")


_watches: list[Callable[[str], None]] = []


def _note_connection(event: str, _: tuple[Any, ...]) -> None:
    if event in CONNECTIONS:
        for note in _watches:
            note(event)


@functools.cache
def _install_audit_hook() -> None:
    """Install the hook once: it cannot be taken away again, but costs next to nothing while nobody watches."""
    sys.addaudithook(_note_connection)


@contextmanager
def _connections() -> Iterator[list[str]]:
    """Collect the connections that this thread makes meanwhile, or a thread that is started meanwhile."""
    _install_audit_hook()
    seen: list[str] = []
    # They may connect at any time, such as for a backend of another test whose server is gone.
    others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}

    def note(event: str) -> None:
        if threading.get_ident() not in others:
            seen.append(event)

    _watches.append(note)
    try:
        yield seen
    finally:
        _watches.pop()

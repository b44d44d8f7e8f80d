"""What a backend promises to who sets a server up, and to who looks at a whole one."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from huey_core.backends import Ack, Bury, Capability
from huey_core.exceptions import Unsupported
from huey_testing.conformance._backend_base import BackendFixtures
from huey_testing.conformance._promises import promise, unique_name
from huey_testing.conformance._queue_base import LONG
from huey_testing.conformance._texts import DIFFICULT_ENDINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from huey_core.backends import Backend

__all__ = ["BackendOperations"]


def _run(queue: Any) -> None:
    queue.write(b"x")
    assert len(queue.claim(1, LONG).deliveries) == 1


def _bury(queue: Any) -> None:
    queue.write(b"x")
    queue.settle([Bury(queue.claim(1, LONG).deliveries[0], "bad")])


IN_USE: Final[dict[str, Callable[[Any], object]]] = {
    "ready": lambda queue: queue.write(b"x"),
    "scheduled": lambda queue: queue.write(b"x", eta=queue.now() + LONG),
    "running": _run,
    "dead": _bury,
    "paused": lambda queue: queue.pause(),
}
"""What makes a queue one that is listed."""


class BackendOperations(BackendFixtures):
    """Promises of ``set_up`` and ``queue_names``."""

    @contextmanager
    def queue(self, backend: Backend, name: str) -> Iterator[Any]:
        """A queue of which nothing is left afterwards."""
        queue: Any = backend.queue(name)
        try:
            yield queue
        finally:
            queue.flush()
            if Capability.PAUSE in queue.capabilities:
                queue.resume()

    @promise()
    def test_setting_up_says_what_is_there(self, backend: Backend) -> None:
        """Without this, who installs a server would not see what ``huey setup`` has made."""
        lines = backend.set_up()
        assert all(isinstance(line, str) and line and "\n" not in line for line in lines)

    @promise()
    def test_setting_up_again_leaves_what_is_there_alone(self, backend: Backend) -> None:
        """Without this, an update that sets the server up once more would lose commands and results, or fail."""
        name = unique_name()
        before = backend.set_up()
        with self.queue(backend, name) as queue:
            store = backend.data_store(name)
            queue.write(b"x")
            store.put("key", b"v")
            assert backend.set_up() == before
            assert (queue.read(), store.get("key")) == (b"x", b"v")

    @promise(Capability.LIST_QUEUES)
    @pytest.mark.parametrize("use", IN_USE.values(), ids=IN_USE.keys())
    def test_a_queue_in_use_is_listed(self, backend: Backend, use: Callable[[Any], object]) -> None:
        """Without this, an operator would not see that commands wait in a queue which nobody serves."""
        name = unique_name()
        assert name not in backend.queue_names()
        with self.queue(backend, name) as queue:
            use(queue)
            assert backend.queue_names().count(name) == 1
        assert name not in backend.queue_names()

    @promise(Capability.LIST_QUEUES)
    def test_a_queue_that_is_empty_again_is_not_listed(self, backend: Backend) -> None:
        """Without this, an operator would be shown every queue that there has ever been."""
        with self.queue(backend, unique_name()) as queue:
            queue.write_many([])
            assert queue.name not in backend.queue_names()
            queue.write(b"x", unique_key="key", unique_for=LONG)
            assert queue.settle([Ack(queue.claim(1, LONG).deliveries[0])]) == [True]
            assert queue.name not in backend.queue_names()

    @promise(Capability.LIST_QUEUES)
    def test_queues_of_any_name_are_listed_in_order(self, backend: Backend) -> None:
        """Without this, an operator would be shown a queue by a name under which it cannot be found."""
        begin = unique_name()
        names = {f"{begin}{ending}" for ending in DIFFICULT_ENDINGS}
        for name in names:
            backend.queue(name).write(b"x")
        try:
            listed = backend.queue_names()
            assert {name for name in listed if name.startswith(begin)} == names
            assert listed == sorted(listed)
        finally:
            for name in names:
                backend.queue(name).flush()

    @promise(Capability.LIST_QUEUES)
    def test_a_data_store_is_not_listed_as_a_queue(self, backend: Backend) -> None:
        """Without this, an operator would look for commands where there are only results."""
        store = backend.data_store(unique_name())
        store.put("key", b"v")
        assert store.name not in backend.queue_names()
        store.flush()

    @promise()
    def test_queues_are_listed_or_that_is_refused_by_name(self, backend: Backend) -> None:
        """Without this, who asks a server that cannot list its queues would get an odd error."""
        if Capability.LIST_QUEUES not in backend.capabilities:
            with pytest.raises(Unsupported, match="list_queues"):
                backend.queue_names()

"""The servers on which every test of tasks runs, and how one waits for what a consumer does.

What Django's own tests check of the backends that come with it, such as the state of a result, these check of ours:
they are tests of our own, and none is copied.

Django has tasks from 6.0 on. On an older one nothing here can be imported, so nothing is collected;
``tests/django/test_tasks_collected.py`` fails if that happens on a newer one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import django
import pytest
from django.test import override_settings

from huey_core.consumer import Consumer
from huey_mongo.testing import MongoServer
from huey_redis.testing import RedisServer

HAS_TASKS = django.VERSION >= (6, 0)

collect_ignore_glob = [] if HAS_TASKS else ["*"]

BACKEND = "huey_django.tasks.HueyBackend"

if HAS_TASKS:
    # Their class is that of the backend that they are declared for.
    with override_settings(TASKS={"default": {"BACKEND": BACKEND, "QUEUES": []}}):
        from tasks import sample_tasks

names = (f"tasks{number}" for number in itertools.count(1))


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[MongoServer]:
    with MongoServer() as server:
        yield server


@pytest.fixture(params=["redis", "mongo", "sqlite", "memory"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., str]:
    """Make URLs of a queue that no other test has, on each kind of server; options are those of the URL."""
    name = next(names)
    match request.param:
        case "redis":
            server: RedisServer = request.getfixturevalue("server")
            place = server.url()
        case "mongo":
            place = request.getfixturevalue("mongo_server").url()
        case "sqlite":
            place = f"sqlite:///{tmp_path}/queue.sqlite3"
        case _:
            place = f"memory://{name}/"

    def new(**options: Any) -> str:
        query = "&".join(f"{option}={value}" for option, value in {"queue": name, **options}.items())
        return f"{place}{'&' if '?' in place else '?'}{query}"

    return new


@pytest.fixture
def configure(settings: Any) -> Callable[..., Any]:
    """Set ``TASKS`` and return the backend: ``configure(url, QUEUES=["mail"], RETRIES=3)``."""
    from django.tasks import task_backends

    def configure(url: str | None, queues: Any = ("default", "mail"), **options: Any) -> Any:
        options = options if url is None else {"URL": url, **options}
        settings.TASKS = {"default": {"BACKEND": BACKEND, "QUEUES": queues, "OPTIONS": options}}
        return task_backends["default"]

    return configure


@pytest.fixture
def backend(new_url: Callable[..., str], configure: Callable[..., Any]) -> Any:
    """The default backend, on each kind of server, with the queues ``default`` and ``mail``."""
    return configure(new_url())


@pytest.fixture
def consume() -> Iterator[Callable[..., None]]:
    """Start consumers of all queues of the default backend, to be stopped after the test."""
    from huey_django.tasks import invokers_of

    with ExitStack() as stack:

        def consume(**settings: Any) -> None:
            settings = {"periodic": False, "shutdown_timeout": 5.0, **settings}
            for invoker in invokers_of("default").values():
                stack.enter_context(Consumer(invoker, **settings).running())

        yield consume


@pytest.fixture
def finished(eventually: Callable[..., Any]) -> Callable[[Any], Any]:
    """Wait until a task has ended, and return its result."""

    def finished(result: Any) -> Any:
        def has_ended() -> bool:
            result.refresh()
            return result.is_finished

        eventually(has_ended, "the task has ended")
        return result

    return finished


@pytest.fixture
def run(backend: Any, consume: Callable[..., None], finished: Callable[[Any], Any]) -> Callable[..., Any]:
    """Enqueue a task where consumers run, and return its result when it has ended."""
    consume()
    return lambda task, *args: finished(task.enqueue(*args))


@pytest.fixture
def signals() -> Iterator[list[tuple[str, Any, Any]]]:
    """What Django's three signals tell: the name, the sender, and the result as it was at that moment."""
    import copy

    from django.tasks.signals import task_enqueued, task_finished, task_started

    heard: list[tuple[str, Any, Any]] = []
    with ExitStack() as stack:
        for name, signal in [("enqueued", task_enqueued), ("started", task_started), ("finished", task_finished)]:

            def hear(sender: Any, task_result: Any, name: str = name, **_: Any) -> None:
                heard.append((name, sender, copy.copy(task_result)))

            signal.connect(hear, weak=False)
            stack.callback(signal.disconnect, hear)
        yield heard


@pytest.fixture(autouse=True)
def clean_tasks() -> Iterator[None]:
    """No test sees the calls of another, or finds the gate open."""
    sample_tasks.calls.clear()
    sample_tasks.gate.clear()
    yield
    sample_tasks.gate.set()

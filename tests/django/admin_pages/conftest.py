"""A queue on each kind of backend, and users with and without permissions."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import django
import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client, override_settings

from huey_core.backends.leased import LeasedQueue
from huey_django import get_invoker
from huey_redis.testing import RedisServer

# Django has tasks since 6.0, and its tests run on that.
collect_ignore = [] if django.VERSION >= (6, 0) else ["test_task_queues.py"]

_numbers = itertools.count(1)


@pytest.fixture
def url_of(server: RedisServer, tmp_path: Path) -> Callable[[str], str]:
    """The URL of a queue of its own on a kind of backend."""
    number = next(_numbers)
    urls = {
        "memory": f"memory://admin{number}/?queue=mail",
        "sqlite": f"sqlite:///{tmp_path}/queue.sqlite3?queue=mail",
        "redis": server.url(queue=f"mail{number}"),
    }
    return urls.__getitem__


@pytest.fixture(params=["memory", "sqlite", "redis"])
def every_queue(request: pytest.FixtureRequest, url_of: Callable[[str], str]) -> Iterator[LeasedQueue]:
    """The project's queue, on each kind of backend in turn."""
    with override_settings(HUEY=url_of(request.param)):
        yield get_invoker().queue


@pytest.fixture
def queue(url_of: Callable[[str], str]) -> Iterator[LeasedQueue]:
    """The project's queue, where any backend will do."""
    with override_settings(HUEY=url_of("memory")):
        yield get_invoker().queue


@pytest.fixture
def client_with(db: None) -> Callable[..., Client]:
    """Log a member of the staff in who has these permissions and no others."""

    def make(*permissions: str) -> Client:
        user = User.objects.create_user(f"user{next(_numbers)}", is_staff=True)
        found = Permission.objects.filter(content_type__app_label="huey_django", codename__in=permissions)
        assert len(found) == len(permissions)
        user.user_permissions.set(found)
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def root(db: None) -> Client:
    """A superuser's client."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client

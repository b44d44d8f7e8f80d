"""A browser, a project with a queue on a real server, and consumers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from chromium import BrowserNotFound, Chromium
from django.contrib.auth.models import User
from django.test import override_settings

from huey_core.consumer import Consumer
from huey_django import get_invoker
from huey_django.invoker import DjangoInvoker
from huey_redis.testing import RedisServer

LOOKS = [
    ("desktop", "light"),
    ("desktop", "dark"),
    ("tablet", "light"),
    ("phone", "light"),
    ("phone", "dark"),
]


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: what ``HUEY_TEST_SCREENSHOTS`` names, which keeps them, or else a temporary one."""
    named = os.environ.get("HUEY_TEST_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Iterator[Chromium]:
    try:
        chromium = Chromium(tmp_path_factory.mktemp("profile"), pictures)
    except BrowserNotFound as error:
        pytest.exit(str(error), returncode=1)
    with closing(chromium):
        yield chromium


@pytest.fixture(params=LOOKS, ids="-".join)
def browser(request: pytest.FixtureRequest, chromium: Chromium) -> Chromium:
    """The browser on each kind of screen and in each colour scheme, with nobody logged in."""
    chromium.begin(*request.param)
    return chromium


@pytest.fixture
def desktop(chromium: Chromium) -> Chromium:
    """The browser on a large screen."""
    chromium.begin("desktop", "light")
    return chromium


@pytest.fixture
def site(live_server: Any) -> str:
    """The address of the admin, with a superuser who can log in."""
    User.objects.create_superuser("root", password="only for tests")
    return f"{live_server.url}/admin/"


@pytest.fixture
def log_in(site: str) -> Callable[[Chromium], None]:
    """Log in as a person does, and end at the index of the admin."""

    def log_in(browser: Chromium) -> None:
        browser.open(site)
        browser.fill("username", "root")
        browser.leave_by(browser.fill("password", "only for tests").submit)

    return log_in


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def invoker(server: RedisServer) -> Iterator[DjangoInvoker]:
    """The project's invoker, with a queue on the server."""
    with override_settings(HUEY=server.url(queue="shop")):
        yield get_invoker()


@pytest.fixture
def start_consumer(invoker: DjangoInvoker) -> Iterator[Callable[..., Consumer]]:
    """Start consumers in this process, and stop them after the test."""
    consumers = []

    def start(queue: str = "default", **settings: Any) -> Consumer:
        consumer = Consumer(get_invoker(queue), **{"threads": 2, "periodic": False, **settings})
        consumer.start()
        consumers.append(consumer)
        return consumer

    yield start
    for consumer in consumers:
        # Outcomes are not waited for: a test may have killed the server.
        consumer.stop("the end of the test", timeout=1.0)

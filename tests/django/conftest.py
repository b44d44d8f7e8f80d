"""A server that the tests share, and a project of which real consumers are started."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import django
import pytest
from shop_deployment import Shop

from huey_redis.testing import RedisServer

pytest_plugins = ["suite"]

# Before Django 6 there are no tasks that could be run.
collect_ignore = [] if django.VERSION >= (6, 0) else ["test_run_huey_tasks.py"]


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables of the shop."""
    with closing(Shop("memory://", tmp_path_factory.mktemp("database"))) as shop:
        made = shop.manage("migrate", "--run-syncdb", "--verbosity", "0")
        assert made.returncode == 0, made.stderr
        return shop.database


@pytest.fixture
def deploy(server: RedisServer, database: Path, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Deploy the shop, with a queue on the shared server or at another URL, and with further settings."""
    with ExitStack() as stack:

        def deploy(url: str | None = None, **settings: Any) -> Shop:
            url = url or server.url(queue=tmp_path.name)
            return stack.enter_context(closing(Shop(url, tmp_path, database, **settings)))

        yield deploy


@pytest.fixture
def shop(deploy: Callable[..., Shop]) -> Shop:
    """The shop on the shared server."""
    return deploy()

"""A server that the tests share, servers that a test may break, and the application deployed on one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from deployment import Deployment
from huey_redis.testing import RedisServer


@pytest.fixture
def deploy(server: RedisServer, tmp_path: Path) -> Iterator[Callable[..., Deployment]]:
    """Deploy the application: on the shared server, or on another one that is given."""
    with ExitStack() as stack:

        def deploy(on: Any = server, **options: Any) -> Deployment:
            # Longer than a busy machine holds anybody up. Who needs them shorter must bear that they may run out.
            patience = {"socket_timeout": 30, "connect_timeout": 30} if isinstance(on, RedisServer) else {}
            options = {"queue": tmp_path.name, "lease": 60, **patience, **options}
            url = f"{on.url()}?{urlencode(options)}"
            return stack.enter_context(closing(Deployment(url, tmp_path)))

        yield deploy


@pytest.fixture
def deployment(deploy: Callable[..., Deployment]) -> Deployment:
    """The application on the shared server."""
    return deploy()

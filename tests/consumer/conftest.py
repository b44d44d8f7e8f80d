"""A command."""

from __future__ import annotations

from typing import Any

import pytest

from huey_core import Invoker, queue_command
from huey_core.decorators import CommandFunction


@pytest.fixture
def add(invoker: Invoker) -> CommandFunction[[int, int], int, Any]:
    """A command of the test's invoker."""

    @queue_command(invoker)
    def add(a: int, b: int) -> int:
        return a + b

    return add

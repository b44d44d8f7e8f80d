"""A rehearsal, its invoker, and a command of it."""

from __future__ import annotations

import pytest

from huey_core import queue_command as command
from huey_core.testing.rehearsal import Rehearsal


@pytest.fixture
def rehearsal():
    with Rehearsal() as rehearsal:
        yield rehearsal


@pytest.fixture
def invoker(rehearsal):
    return rehearsal.invoker


@pytest.fixture
def send(invoker):
    @command(invoker)
    def send(to, text="hello"):
        return f"{text}, {to}"

    return send

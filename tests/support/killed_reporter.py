"""A consumer that is killed when it comes to report a dead letter that its claim has made.

As a program, ``python killed_reporter.py URL`` is that consumer.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.consumer import Consumer
from huey_core.exceptions import CommandAbandoned

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_that_another_consumer_reports"]

LEASE = 1.0


def check_that_another_consumer_reports(url: str) -> None:
    """Let a consumer be killed between the claim that buries a command and its report, and wait for the command.

    Args:
        url: Of a queue and a result store, with ``max_deliveries=1``.
    """
    invoker = Invoker.from_url(url, registry=CommandRegistry())

    @queue_command(invoker, name="poison")
    def poison() -> None:
        raise AssertionError("nobody runs it")

    result = poison()
    assert invoker.leased_queue is not None
    invoker.leased_queue.claim(1, 0.001)
    killed = subprocess.run([sys.executable, __file__, url], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL

    with Consumer(invoker, lease=LEASE, periodic=False).running(), pytest.raises(CommandAbandoned):
        result.get(blocking=True, timeout=60)
    invoker.close()


def main() -> None:
    """Consume until a dead letter is to be reported, for which it is looked at first."""
    invoker = Invoker.from_url(sys.argv[1], registry=CommandRegistry())
    queue: Any = invoker.leased_queue

    def find(message_ids: Sequence[str]) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    queue.find = find
    Consumer(invoker, lease=LEASE, periodic=False).start()
    signal.pause()


if __name__ == "__main__":
    main()

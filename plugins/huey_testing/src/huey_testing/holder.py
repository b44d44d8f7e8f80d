"""A consumer that claims messages and then does nothing, in a process of its own, to be killed.

``python -m huey_testing.holder`` reads a line of JSON from its standard input, claims what it says, writes the ids
of the messages and then of the dead letters as a line of JSON, and holds them until it is killed or its standard input
ends. Each further line is a number of seconds: it renews the leases of the messages to end after them, and answers with
what became of each. The URL comes by
standard input since the arguments of a process, and a password among them, can be seen by everybody on the machine.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from huey_core.backends import LeasedQueue
from huey_core.plugins import open_backend

if TYPE_CHECKING:
    from huey_core.backends import Delivery

__all__ = ["main"]


def main() -> None:
    """Claim ``count`` messages and ``buried`` dead letters of a queue for ``lease`` seconds, and hold them."""
    order = json.loads(sys.stdin.readline())
    queue = open_backend(order["url"]).queue(order["queue"])
    if not isinstance(queue, LeasedQueue):
        raise TypeError(f"{queue!r} has no leases")
    held: list[Delivery] = []
    buried: list[str] = []
    give_up = time.monotonic() + 30.0
    while (len(held) < order["count"] or len(buried) < order["buried"]) and time.monotonic() < give_up:
        claim = queue.claim(max(order["count"] - len(held), 1), order["lease"], wait=1.0)
        held += claim.deliveries
        buried += claim.buried
    _tell([delivery.message_id for delivery in held] + buried)
    for line in sys.stdin:
        _tell(queue.extend(held, json.loads(line)))


def _tell(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

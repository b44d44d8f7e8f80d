"""A consumer that claims messages and then does nothing, in a process of its own, to be killed.

``python -m huey_core.testing.holder`` reads one line of JSON from its standard input, claims what it says, writes the
ids of the messages as one line of JSON, and holds them until it is killed or its standard input ends. The URL comes by
standard input since the arguments of a process, and a password among them, can be seen by everybody on the machine.
"""

from __future__ import annotations

import json
import sys
import time

from huey_core.backends.leased import LeasedQueue
from huey_core.plugins.backends import open_backend

__all__ = ["main"]


def main() -> None:
    """Claim ``count`` messages of ``queue`` at ``url`` for ``lease`` seconds, report them and hold them."""
    order = json.loads(sys.stdin.readline())
    queue = open_backend(order["url"]).queue(order["queue"])
    if not isinstance(queue, LeasedQueue):
        raise TypeError(f"{queue!r} has no leases")
    ids: list[str] = []
    give_up = time.monotonic() + 30.0
    while len(ids) < order["count"] and time.monotonic() < give_up:
        ids += [delivery.message_id for delivery in queue.claim(order["count"] - len(ids), order["lease"], wait=1.0)]
    sys.stdout.write(json.dumps(ids) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()

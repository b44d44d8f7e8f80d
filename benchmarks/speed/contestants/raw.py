"""What the server and one thread of Python can do at best: the same writes in a bare loop of redis-py.

The consumer is this module run as a program. It does what every consumer must, and nothing else: claim 100 messages,
read header and body with ``json``, build a result, settle all of them in one call.
"""

from __future__ import annotations

import json
import os
from typing import Any, ClassVar, Final

import redis

from huey_redis import scripts
from huey_redis.keys import QUEUE_PARTS, queue_keys, store_prefix

from .base import Contestant, database_url

DATABASE: Final = 10
QUEUE: Final = "raw"
KEYS: Final = queue_keys(QUEUE)
PLAIN_KEYS: Final = [KEYS[QUEUE_PARTS.index(part)] for part in ("msg", "ready", "seq", "bell")]
PORTION: Final = 100
LEASE_MS: Final = 60_000
RESULT_TTL_MS: Final = 86_400_000


def message(message_id: str, number: int) -> bytes:
    """The message that huey-core writes for a call of ``noop(number)``."""
    names = '"cmd":"speed.contestants.ours.noop","ser":"json"'
    return f'HUEY/1 {{"id":"{message_id}",{names},"at":1900000000.123456,"retries":0}}\n[[{number}],{{}}]'.encode()


class RawProtocol(Contestant):
    """The scripts of huey-redis, called by a bare loop."""

    database: ClassVar[int] = DATABASE

    def enqueue(self, count: int) -> None:
        """Write messages in a loop."""
        write = self.server.register_script(scripts.WRITE_PLAIN.source)
        for number in range(count):
            message_id = os.urandom(16).hex()
            write(PLAIN_KEYS, [message_id, 0, message(message_id, number)])

    def enqueue_many(self, count: int) -> None:
        """Write all messages through one pipeline."""
        write = self.server.register_script(scripts.WRITE.source)
        with self.server.pipeline(transaction=False) as pipe:
            for start in range(0, count, PORTION):
                arguments: list[str | bytes | int] = []
                for number in range(start, min(start + PORTION, count)):
                    message_id = os.urandom(16).hex()
                    arguments += (message_id, message(message_id, number), 0, 0, "", "")
                write(KEYS, arguments, client=pipe)
            pipe.execute()

    def consumer_arguments(self) -> list[str]:
        """Name the program and its settings."""
        return ["-m", __name__]

    def results(self) -> int:
        """Count the results, in constant time."""
        return int(self.server.dbsize()) - int(self.server.exists(*KEYS))


class RawList(Contestant):
    """The least that any queue on Redis writes: the same bytes, pushed on a list."""

    database: ClassVar[int] = DATABASE

    def enqueue(self, count: int) -> None:
        """Write messages in a loop."""
        for number in range(count):
            self.server.lpush(QUEUE, message(os.urandom(16).hex(), number))

    def enqueue_many(self, count: int) -> None:
        """Write all messages through one pipeline."""
        with self.server.pipeline(transaction=False) as pipe:
            for number in range(count):
                pipe.lpush(QUEUE, message(os.urandom(16).hex(), number))
            pipe.execute()


def consume() -> None:
    """Claim, run and settle for ever."""
    server = redis.Redis.from_url(database_url(DATABASE))
    claim, settle = server.register_script(scripts.CLAIM.source), server.register_script(scripts.SETTLE.source)
    prefix = store_prefix(QUEUE)
    while True:
        _, *claimed = claim(KEYS, [PORTION, LEASE_MS, 5])
        ids, receipts, messages = claimed[::3], claimed[1::3], claimed[2::3]
        if not ids:
            server.blpop([KEYS[QUEUE_PARTS.index("bell")]], 1)
            continue
        details: list[Any] = []
        for index, (message_id, data) in enumerate(zip(ids, messages, strict=True), 1):
            header, _, body = data.partition(b"\n")
            json.loads(header[7:])
            [number], _ = json.loads(body)
            state = json.dumps({"id": message_id.decode(), "state": "ok", "ser": "json"}, separators=(",", ":"))
            details += (index, f"HUEY/1 {state}\n{json.dumps(number)}", RESULT_TTL_MS, 0)
        operations = [b"ack"] * len(ids)
        settle([*KEYS, *(prefix + one for one in ids)], [len(ids), *operations, *ids, *receipts, *details])


if __name__ == "__main__":
    consume()

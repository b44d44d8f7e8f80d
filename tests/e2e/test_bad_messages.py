"""Messages that cannot be run are kept with the reason, and harm nobody."""

from __future__ import annotations

import pytest

from deployment import await_condition
from huey_core import CommandRegistry, QueueCommand
from huey_core.backends.messages import State
from huey_core.commands.codec import CommandCodec
from huey_core.serializers.base import Serializer
from huey_core.serializers.json import JSONSerializer
from huey_core.serializers.pickle import PickleSerializer
from huey_core.serializers.signed import KEYS_VARIABLE, SignedSerializer

KEY = "a key that consumers know"


class Add(QueueCommand, declare=False):
    command_name = "main.add"


class Unknown(QueueCommand, declare=False):
    command_name = "main.subtract"


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (str(self._path), "w")


def written(command: QueueCommand, serializer: Serializer) -> bytes:
    return CommandCodec(CommandRegistry(), serializer, []).encode(command)


def signed(*keys: str) -> SignedSerializer:
    return SignedSerializer(JSONSerializer(), keys)


@pytest.fixture
def deployment(deploy, monkeypatch):
    """The application with signed messages; one that cannot be read is looked at twice."""
    monkeypatch.setenv(KEYS_VARIABLE, KEY)
    return deploy(serializer="json|signed", max_deliveries=2)


def test_each_bad_message_is_buried_with_its_reason_and_the_consumer_goes_on(deployment, tmp_path):
    bomb = tmp_path / "unpickled"
    good = written(Add(((1, 2), {})), signed(KEY))
    bad = {
        "garbage": b"\x00\xff garbage",
        "from the future": good.replace(b"HUEY/1 ", b"HUEY/2 ", 1),
        "unknown": written(Unknown(((1, 2), {})), signed(KEY)),
        "forbidden": written(Add(((Bomb(bomb),), {})), PickleSerializer()),
        "forged": written(Add(((1, 2), {})), signed("a key of somebody else")),
        "changed": good[:-2] + b"]]",
    }
    for message_id, data in bad.items():
        deployment.queue.write(data, message_id=message_id)

    consumer = deployment.start()
    await_condition(lambda: deployment.queue.counts().dead == len(bad), "all are buried")

    reasons = {dead.message_id: dead.reason for dead in deployment.queue.peek(State.DEAD)}
    assert "not a message of this format" in reasons["garbage"]
    assert "version 2" in reasons["from the future"]
    assert "'main.subtract'" in reasons["unknown"]
    assert "'pickle'" in reasons["forbidden"]
    assert "key" in reasons["forged"]
    assert "signature" in reasons["changed"]
    assert not bomb.exists()
    assert deployment.journal() == []
    assert deployment.main.add(1, 2).get(blocking=True, timeout=60) == 3
    assert consumer.is_alive()

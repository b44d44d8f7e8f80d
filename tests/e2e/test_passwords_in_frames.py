"""An error reporter prints the local variables of every frame of a traceback: ours hold no password."""

from __future__ import annotations

import pytest

import huey_mongo
import huey_redis
from frames import assert_not_shown
from huey_core import CommandRegistry, Invoker, queue_command
from huey_core.backends.url import BackendURL
from huey_core.cli.info import info
from huey_core.plugins.backends import open_backend
from huey_core.serializers.json import JSONSerializer
from huey_core.serializers.signed import SignedSerializer

PASSWORD = "correct-horse-battery"
REDIS = f"redis://ann:{PASSWORD}@127.0.0.1:1/0"
MONGO = f"mongodb://ann:{PASSWORD}@127.0.0.1:1/huey?serverSelectionTimeoutMS=1"


def enqueue(url):
    queue_command(Invoker.from_url(url, registry=CommandRegistry()), name="add")(int)()


def enqueue_by_environment(monkeypatch, url):
    monkeypatch.setenv("HUEY_URL", url)
    queue_command(Invoker.from_env(registry=CommandRegistry()), name="add")(int)()


CALLS = {
    "no URL": lambda: BackendURL.parse(f"ann:{PASSWORD}@localhost"),
    "a wrong character": lambda: BackendURL.parse(f"redis://ann:{PASSWORD}#@localhost"),
    "a wrong escape": lambda: BackendURL.parse(f"redis://ann:{PASSWORD}%@localhost"),
    "no UTF-8": lambda: BackendURL.parse(f"redis://ann:{PASSWORD}%ff@localhost"),
    "a wrong port": lambda: open_backend(f"redis://localhost:{PASSWORD}"),
    "a slash in the password": lambda: Invoker.from_url(f"redis://ann:{PASSWORD}/x@localhost"),
    "an unknown scheme": lambda: Invoker.from_url(f"nowhere://ann:{PASSWORD}@localhost"),
    "an unknown option": lambda: Invoker.from_url(f"redis://ann:{PASSWORD}@localhost?nonsense=1"),
    "two hosts": lambda: Invoker.from_url(f"redis://ann:{PASSWORD}@a,b"),
    "a user of SQLite": lambda: Invoker.from_url(f"sqlite://ann:{PASSWORD}@/huey.db"),
    "a user of memory": lambda: Invoker.from_url(f"memory://ann:{PASSWORD}@x/"),
    "an option of the driver": lambda: enqueue(f"{MONGO}&tlsCertificateKeyFilePassword={PASSWORD}&w=0"),
    "Redis that is away": lambda: enqueue(REDIS),
    "Redis without a URL": lambda: huey_redis.RedisQueue("q", port=1, password=PASSWORD).write(b"x"),
    "a wrong setting": lambda: huey_redis.RedisDataStore("q", password=PASSWORD, nonsense=1),
    "MongoDB that is away": lambda: enqueue(MONGO),
    "a queue of MongoDB": lambda: huey_mongo.MongoQueue("q", url=MONGO).write(b"x"),
    "a short key": lambda: SignedSerializer(JSONSerializer(), keys=[PASSWORD, PASSWORD[:15]]),
    "a key in place of a list": lambda: SignedSerializer(JSONSerializer(), keys=PASSWORD),
    "the command line": lambda: info.main([f"sqlite://ann:{PASSWORD}@/huey.db"], standalone_mode=False),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_no_frame_of_ours_shows_a_password(call):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        call()

    assert_not_shown(PASSWORD[:15], caught.value)


def test_no_frame_of_ours_shows_a_password_of_the_environment(monkeypatch):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        enqueue_by_environment(monkeypatch, REDIS)

    assert_not_shown(PASSWORD[:15], caught.value)


def test_no_frame_of_ours_shows_a_password_that_the_server_refuses(new_server):
    server = new_server(config={"requirepass": "another"})

    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        enqueue(f"redis://ann:{PASSWORD}@127.0.0.1:{server.port}/0")

    assert_not_shown(PASSWORD[:15], caught.value)

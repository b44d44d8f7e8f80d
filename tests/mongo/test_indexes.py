"""Indexes are made once, by name, by whoever comes first; one that is in the way gives an instruction."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing

import pytest

from huey_core.exceptions import ConfigurationError
from huey_mongo.indexes import INDEXES

NAMES = {index.document["name"] for index in INDEXES}


@pytest.fixture
def collection(server, request):
    """A collection of its own, as the database's owner sees it."""
    with closing(server.connect()) as client:
        yield client["indexes"][request.node.originalname]


@pytest.fixture
def url(server, collection):
    return server.url("indexes", collection=collection.name)


def test_they_are_there_after_the_first_use(new_backend, url, collection):
    new_backend(url).queue("q").write(b"x")
    assert {index["name"] for index in collection.list_indexes()} == NAMES | {"_id_"}


def test_many_processes_may_come_first(url, collection):
    program = f"import sys; from huey_mongo import MongoQueue; MongoQueue('q', url={url!r}).write(b'x')"
    processes = [subprocess.Popen([sys.executable, "-W", "error", "-c", program]) for _ in range(6)]
    assert [process.wait() for process in processes] == [0] * 6
    assert {index["name"] for index in collection.list_indexes()} == NAMES | {"_id_"}
    assert collection.count_documents({"queue": "q"}) == 6


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ([("queue", 1), ("id", 1)], {"name": "huey_id"}),
        ([("queue", 1)], {"name": "huey_id"}),
        ([("expires", 1)], {"name": "huey_expiry", "expireAfterSeconds": 60}),
    ],
    ids=["other options", "other fields", "another time"],
)
def test_one_that_is_different_gives_an_instruction(new_backend, url, collection, fields, options):
    collection.create_index(fields, **options)
    with pytest.raises(ConfigurationError) as refused:
        new_backend(url).queue("q").write(b"x")
    message = str(refused.value)
    assert options["name"] in message
    assert "dropIndex" in message
    assert f"indexes.{collection.name}" in message
    collection.drop()


def test_a_missing_one_is_shown(new_backend, url, collection):
    backend = new_backend(url)
    assert backend.describe()["indexes"] == "complete"
    assert backend.warnings() == []
    collection.drop_index("huey_claim")
    assert backend.describe()["indexes"] == "missing: huey_claim"
    (warning,) = backend.warnings()
    assert "huey_claim" in warning

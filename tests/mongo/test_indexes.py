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


def present(collection):
    return {index["name"] for index in collection.list_indexes()} - {"_id_"}


def drop(collection):
    collection.drop()


def drop_database(collection):
    collection.database.client.drop_database(collection.database.name)


def rename(collection):
    collection.rename(f"{collection.name}.before", dropTarget=True)


def drop_indexes(collection):
    collection.drop_indexes()


class TestGone:
    """Somebody takes the indexes away while a program is at work."""

    @pytest.fixture
    def backend(self, server, new_backend):
        # Of its own, because a test drops the whole database.
        backend = new_backend(server.url("gone"))
        backend.queue("q").write(b"before", unique_key="before")
        yield backend
        backend._cluster.collection.drop()

    @pytest.fixture
    def bare(self, server, backend):
        with closing(server.connect()) as client:
            yield client["gone"][backend.settings.collection]

    @pytest.mark.parametrize("happens", [drop, drop_database, rename, drop_indexes])
    def test_a_unique_key_is_taken_once_all_the_same(self, backend, bare, happens):
        happens(bare)
        written = [backend.queue("q").write(b"x", unique_key="k") for _ in range(2)]
        assert [each.created for each in written] == [True, False]
        assert present(bare) == NAMES

    @pytest.mark.parametrize(
        "use",
        [
            lambda queue, store: store.put("k", b"v"),
            lambda queue, store: store.put_if_absent("k", b"v"),
            lambda queue, store: store.increment("k"),
            lambda queue, store: queue.write(b"x") and queue.claim(1, 60.0).deliveries,
        ],
        ids=["put", "put_if_absent", "increment", "write and claim"],
    )
    def test_they_are_made_again_by_what_needs_them(self, backend, bare, use):
        drop(bare)
        use(backend.queue("q"), backend.data_store("r"))
        assert present(bare) == NAMES

    def test_one_that_nothing_asks_for_is_made_again_within_a_minute(self, backend, bare, monkeypatch):
        bare.drop_index("huey_expiry")
        monkeypatch.setattr(backend._cluster._open(), "look_at", 0.0)
        backend.queue("q").counts()
        assert present(bare) == NAMES

    def test_that_is_told(self, backend, bare, caplog):
        drop(bare)
        backend.queue("q").write(b"x", unique_key="k")
        (record,) = [record for record in caplog.records if record.name == "huey_mongo.indexes"]
        assert "huey_unique" in record.message

    @pytest.mark.parametrize("twice", [{"id": "m"}, {"id": "m", "unique": "k"}, {"store": "r", "name": "k"}])
    def test_duplicates_that_are_there_give_an_instruction(self, backend, bare, new_backend, server, twice):
        bare.drop()
        bare.insert_many([{"queue": "q", **twice, "number": number} for number in range(2)])
        with pytest.raises(ConfigurationError, match="deleteOne") as refused:
            new_backend(server.url("gone")).queue("q").write(b"x")
        assert '"k"' in str(refused.value) or '"m"' in str(refused.value)

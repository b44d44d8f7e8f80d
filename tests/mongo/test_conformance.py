"""huey-mongo keeps every promise of the contract, on a standalone server and on a replica set."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import settings

from huey_core.plugins import open_backend
from huey_mongo import MongoQueue
from huey_testing.conformance import (
    BackendConformance,
    DataStoreConformance,
    QueueConformance,
    ServerConformance,
)

WITHOUT_A_SERVER = {
    "test_a_write_is_an_error_while_the_server_is_down",
    "test_a_claim_that_waits_gets_an_error_from_a_crash_and_works_afterwards",
    "test_a_server_that_does_not_answer_is_given_up",
}


@pytest.fixture(scope="module", params=["standalone", "replica set"])
def url(request):
    # The replica set takes seconds to start, which a run of the one kind need not wait for.
    server = request.getfixturevalue("replica_set" if request.param == "replica set" else "server")
    return server.url("conformance")


@pytest.fixture(scope="module")
def shared_backend(url):
    """One backend for the many queues and stores."""
    with closing(open_backend(url)) as backend:
        yield backend


@pytest.fixture
def make_data_store(shared_backend):
    return shared_backend.data_store


@pytest.fixture
def count_records(shared_backend):
    """Counts the documents of all queues and stores of the conformance tests."""
    return lambda: shared_backend._cluster.collection.count_documents({})


class TestMongoQueue(QueueConformance):
    histories = settings(QueueConformance.histories, max_examples=15)

    @pytest.fixture
    def make_queue(self, shared_backend):
        return lambda name, **options: MongoQueue(name, cluster=shared_backend._cluster, **options)

    @pytest.fixture
    def count_records(self, count_records):
        return count_records

    @pytest.fixture
    def make_data_store(self, make_data_store):
        return make_data_store


class TestMongoDataStore(DataStoreConformance):
    @pytest.fixture
    def count_records(self, count_records):
        return count_records

    @pytest.fixture
    def make_data_store(self, make_data_store):
        return make_data_store


class TestMongoBackend(BackendConformance):
    @pytest.fixture(autouse=True)
    def _soon_another_consumer_takes_care_of_an_outbox(self, monkeypatch):
        monkeypatch.setattr("huey_mongo.outbox.PATIENCE", 0.5)

    @pytest.fixture
    def url(self, url):
        return url


class TestMongoServer(ServerConformance):
    @pytest.fixture
    def server(self, new_server):
        return new_server()

    @pytest.fixture
    def url(self, server, request):
        # These wait until the driver gives up; in the others the server comes back, and must be given the time.
        patience = "2000" if request.node.originalname in WITHOUT_A_SERVER else "20000"
        return server.url(serverSelectionTimeoutMS=patience, socketTimeoutMS=patience, connectTimeoutMS=patience)

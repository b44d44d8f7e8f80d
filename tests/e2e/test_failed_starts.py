"""A consumer that cannot start says why in one line, and ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import pytest

from deployment import APP

PASSWORD = "correct-horse-battery"


@pytest.fixture
def start(tmp_path):
    """Start a consumer that is expected to end by itself, and return the finished process."""

    def run(url, configuration="main.Configuration", *options):
        return subprocess.run(
            [sys.executable, "-m", "huey_core", "consumer", configuration, *options],
            cwd=APP,
            env=os.environ | {"HUEY_URL": url, "E2E_FOLDER": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def error_line(process):
    """The only line that was printed."""
    assert process.stdout == ""
    [line] = process.stderr.splitlines()
    return line


@pytest.mark.parametrize("password", ["wrong-horse", None])
def test_a_wrong_or_missing_password_is_said_without_showing_it(new_server, start, password):
    server = new_server(config={"requirepass": PASSWORD})
    login = "" if password is None else f":{password}@"

    process = start(f"redis://{login}127.0.0.1:{server.port}/0")

    assert process.returncode == 1
    line = error_line(process)
    assert line.startswith("Error: ")
    assert "login" in line
    assert "wrong-horse" not in line


def test_a_server_that_is_not_there_is_said_at_once(start):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        started = time.monotonic()

        process = start(f"redis://:{PASSWORD}@127.0.0.1:{port}/0")

    assert process.returncode == 1
    assert time.monotonic() - started < 20
    line = error_line(process)
    assert f"127.0.0.1:{port}" in line
    assert PASSWORD not in line


def test_a_server_that_does_not_answer_is_given_up(new_server, start):
    server = new_server()
    server.suspend()

    process = start(server.url(socket_timeout="0.5", connect_timeout="0.5"))

    assert process.returncode == 1
    assert "cannot be used" in error_line(process)


@pytest.mark.parametrize(
    ("configuration", "hint"),
    [
        ("main.Configurations", "it has Configuration"),
        ("mian.Configuration", "no module 'mian'"),
        ("Configuration", "not a path"),
        ("main.Misspelt", "did you mean 'THREADS'?"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_named(server, start, configuration, hint):
    process = start(server.url(), configuration)

    assert process.returncode == 1
    assert hint in error_line(process)


def test_an_unknown_option_is_a_wrong_command_line(server, start):
    process = start(server.url(), "main.Configuration", "--treads", "4")

    assert process.returncode == 2
    assert "--threads" in process.stderr
    assert "Traceback" not in process.stderr

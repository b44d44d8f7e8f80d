from __future__ import annotations

from click.testing import CliRunner
from redis import Redis

from huey_core import CommandRegistry, Invoker, __version__
from huey_core.backends.leased import DEFAULT_LEASE
from huey_core.cli.group import huey
from huey_redis.testing import RedisServer


class TestOutput:
    def test_every_check_is_one_aligned_line(self, cli):
        *lines, summary = cli.run("doctor", cli.url).output.splitlines()

        assert {line[:2] for line in lines} <= {"✓ ", "! ", "✗ "}
        column = lines[0].index(f"{__version__}, plugin API")
        assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines)
        assert summary.startswith(f"{len(lines)} checks: 0 failed, ")

    def test_a_terminal_that_knows_ascii_alone_gets_ascii(self, cli, install):
        install("raise ValueError('\\u2713 \\x1b[2J')")

        output = CliRunner(charset="ascii").invoke(huey, ["doctor"]).stdout_bytes

        assert output.isascii()
        assert b"x hooks extra" in output
        assert b"\n+ backend memory" in output
        assert b"\x1b" not in output


def test_a_real_server_is_left_as_it_was(diagnose, run_consumer, eventually):
    with RedisServer() as server, Redis(port=server.port, decode_responses=True) as client:
        url = f"{server.url()}?queue=mail"
        consumer = run_consumer(Invoker.from_url(url, registry=CommandRegistry()))
        eventually(lambda: f"consumer {consumer.name}" in diagnose(url))
        found = diagnose(url)
        consumer.stop()
        # A thread removes the record, for which a stop does not wait long. By itself it would end with its lease.
        eventually(lambda: "consumer:" not in str(client.keys()), "the record is removed", timeout=DEFAULT_LEASE / 2)
        keys = str(client.keys())

    assert {found[check]["level"] for check in ("connection", "server", "round trip")} == {"ok"}
    assert "doctor" not in keys

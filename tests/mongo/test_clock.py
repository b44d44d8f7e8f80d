"""The estimate of the server's clock, with exchanges that are held up on their way."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from huey_mongo import clock

EPOCH = 1_900_000_000.0


class Machine:
    """The clocks of this machine and of the server, and the pauses of the next exchanges before and after the look."""

    def __init__(self):
        self.passed = 0.0
        self.pauses = []
        self.exchanges = 0

    def monotonic(self):
        return self.passed

    def time(self):
        return EPOCH + self.passed

    def server(self):
        return EPOCH + 5 + self.passed

    def read(self):
        self.exchanges += 1
        there, back = self.pauses.pop(0) if self.pauses else (0.001, 0.001)
        self.passed += there
        told = datetime.fromtimestamp(self.server(), UTC)
        self.passed += back
        return told


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(clock, "time", machine)
    return machine


def test_it_is_read_once_where_the_server_answers_promptly(machine):
    assert clock.ServerClock().seconds(machine.read) == pytest.approx(machine.server(), abs=0.002)
    assert machine.exchanges == 1


@pytest.mark.parametrize("held_up", [(3.0, 0.001), (0.001, 3.0)], ids=["on the way there", "on the way back"])
def test_an_exchange_that_was_held_up_is_not_believed(machine, held_up):
    machine.pauses = [held_up]
    assert clock.ServerClock().seconds(machine.read) == pytest.approx(machine.server(), abs=0.002)


def test_of_slow_exchanges_the_shortest_is_believed(machine):
    machine.pauses = [(0.3, 0.0), (0.04, 0.04), (0.0, 0.3)]
    assert clock.ServerClock().seconds(machine.read) == pytest.approx(machine.server(), abs=0.002)
    assert machine.exchanges == 3

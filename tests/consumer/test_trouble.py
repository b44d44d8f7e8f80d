"""Pauses after errors, and what is logged about them."""

from __future__ import annotations

import logging

import pytest

from huey_core.consumer import ConsumerConfig
from huey_core.consumer.trouble import Trouble


@pytest.fixture
def trouble():
    clock = iter(range(1000)).__next__
    config = ConsumerConfig(initial_delay=1.0, backoff=2.0, max_delay=10.0)
    return Trouble("the queue", config, logging.getLogger("test"), clock, lambda low, high: high)


def test_pauses_grow_up_to_the_longest(trouble):
    pauses = [trouble.failed(OSError()) for _ in range(6)]

    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_pauses_start_anew_after_a_success(trouble):
    trouble.failed(OSError())
    trouble.failed(OSError())
    trouble.over()

    assert trouble.failed(OSError()) == 1.0


def test_pauses_are_spread_by_chance():
    trouble = Trouble("the queue", ConsumerConfig(initial_delay=1.0), logging.getLogger("test"))

    assert len({trouble.failed(OSError()) for _ in range(5)}) == 5


def test_a_thousand_failures_are_no_trouble(trouble):
    assert {trouble.failed(OSError()) for _ in range(1000)} >= {10.0}


def test_each_change_of_state_is_logged_once(trouble, caplog):
    caplog.set_level(logging.INFO)

    for _ in range(3):
        trouble.failed(OSError("the cable is out"))
    trouble.over()
    trouble.over()

    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert "the cable is out" in caplog.text
    assert "3 tries" in caplog.text

"""Several consumers that act as one."""

from __future__ import annotations

import threading

import pytest

from huey_core.consumer import ConsumerGroup
from huey_core.exceptions import ConfigurationError


class Member:
    """Notes what it is told, and stops no sooner than every other that shares its barrier."""

    def __init__(self, told, stopping=None, error=None):
        self.told = told
        self.error = error
        self.stopping = stopping or threading.Barrier(1)

    def start(self):
        if self.error:
            raise self.error
        self.told.append("start")

    def stop(self, reason):
        self.stopping.wait(timeout=30)
        self.told.append(f"stop: {reason}")

    def stop_now(self):
        self.stopping.wait(timeout=30)
        self.told.append("stop now")


@pytest.fixture
def told():
    return []


@pytest.fixture
def group(told):
    both = threading.Barrier(2)
    return ConsumerGroup([Member(told, both), Member(told, both)])


def test_all_members_start(group, told):
    group.start()
    assert told == ["start", "start"]


def test_all_stop_at_the_same_time_for_the_same_reason(group, told):
    group.stop("SIGTERM")
    assert told == ["stop: SIGTERM", "stop: SIGTERM"]


def test_all_give_back_at_the_same_time(group, told):
    group.stop_now()
    assert told == ["stop now", "stop now"]


def test_when_one_cannot_start_those_before_it_are_stopped_and_those_behind_it_never_started(told):
    bad = Member(told, error=ConfigurationError("no server"))
    with pytest.raises(ConfigurationError, match="no server"):
        ConsumerGroup([Member(told), bad, Member(told)]).start()
    assert told == ["start", "stop: another one cannot start"]

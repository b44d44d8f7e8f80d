"""Several consumers that act as one."""

from __future__ import annotations

import threading

import pytest

from huey_core.consumer import ConsumerGroup
from huey_core.exceptions import ConfigurationError


class Member:
    """Notes what it is told, and stops no sooner than every other that shares its barrier."""

    def __init__(self, told, stopping=None, error=None, finishes=True):
        self.told = told
        self.error = error
        self.finishes = finishes
        self.stopping = stopping or threading.Barrier(1)

    def start(self):
        if self.error:
            raise self.error
        self.told.append("start")

    def stop(self, reason):
        self.stopping.wait(timeout=30)
        self.told.append(f"stop: {reason}")
        if isinstance(self.finishes, BaseException):
            raise self.finishes
        return self.finishes

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


@pytest.mark.parametrize(("outcomes", "finished"), [([True, None], True), ([True, False], False)])
def test_a_group_has_finished_when_each_member_has(told, outcomes, finished):
    assert ConsumerGroup([Member(told, finishes=outcome) for outcome in outcomes]).stop("SIGTERM") is finished


def test_what_a_member_raises_is_said_when_all_have_stopped(told, caplog):
    errors = [SystemExit("one"), OSError("another")]

    with pytest.raises(SystemExit, match="one"):
        ConsumerGroup(Member(told, finishes=outcome) for outcome in [*errors, True]).stop("SIGTERM")

    assert told == ["stop: SIGTERM"] * 3
    assert {record.exc_info[1] for record in caplog.records} == set(errors)


@pytest.mark.parametrize(
    ("end", "said"), [(lambda group: group.stop("exit"), "stop: exit"), (ConsumerGroup.stop_now, "stop now")]
)
def test_members_stop_one_after_another_in_an_exit_handler_where_no_thread_can_be_started(told, monkeypatch, end, said):
    def refuse(thread):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as ending:
        ending.setattr(threading.Thread, "start", refuse)
        end(ConsumerGroup([Member(told), Member(told)]))

    assert told == [said] * 2

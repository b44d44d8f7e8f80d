"""Several consumers that act as one, and which queues they serve."""

from __future__ import annotations

import threading

import pytest
from django.test import override_settings

from huey_core.consumer import ConsumerConfig
from huey_core.exceptions import ConfigurationError
from huey_django import get_invoker
from huey_django.consumers import ConsumerGroup, invokers_to_serve, make_consumers
from plain_backend import PlainQueue


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


class TestGroup:
    @pytest.fixture
    def told(self):
        return []

    @pytest.fixture
    def group(self, told):
        both = threading.Barrier(2)
        return ConsumerGroup([Member(told, both), Member(told, both)])

    def test_all_members_start(self, group, told):
        group.start()
        assert told == ["start", "start"]

    def test_all_stop_at_the_same_time_for_the_same_reason(self, group, told):
        group.stop("SIGTERM")
        assert told == ["stop: SIGTERM", "stop: SIGTERM"]

    def test_all_give_back_at_the_same_time(self, group, told):
        group.stop_now()
        assert told == ["stop now", "stop now"]

    def test_when_one_cannot_start_those_before_it_are_stopped_and_those_behind_it_never_started(self, told):
        bad = Member(told, error=ConfigurationError("no server"))
        with pytest.raises(ConfigurationError, match="no server"):
            ConsumerGroup([Member(told), bad, Member(told)]).start()
        assert told == ["start", "stop: another one cannot start"]


class TestQueues:
    @pytest.fixture(autouse=True)
    def settings_of_a_server(self):
        with override_settings(HUEY="redis://127.0.0.1:1/0?queue=shop", TASKS={}):
            yield

    def test_without_names_the_queue_of_the_settings_is_served(self):
        assert invokers_to_serve() == [get_invoker()]

    def test_each_that_is_named_is_served_once(self):
        served = invokers_to_serve(["mail", "default", "mail"])
        assert sorted(one.queue.name for one in served) == ["shop", "shop:mail"]

    def test_periodic_commands_are_those_of_the_queue_of_the_settings(self):
        consumers = make_consumers(["default", "mail"], ConsumerConfig())
        assert {one.invoker.queue.name: one.config.periodic for one in consumers} == {"shop": True, "shop:mail": False}

    def test_no_consumer_has_periodic_commands_when_they_are_off(self):
        assert not make_consumers(["default"], ConsumerConfig(periodic=False))[0].config.periodic

    def test_a_plain_queue_is_served_as_it_does_not_say_where_it_is(self):
        with override_settings(HUEY=None, HUEY_CONFIG={"QUEUE": PlainQueue()}):
            assert len(make_consumers([], ConsumerConfig())) == 1

"""Which queues the consumers of a project serve."""

from __future__ import annotations

import pytest
from django.test import override_settings

from huey_core.consumer import ConsumerConfig
from huey_django import get_invoker
from huey_django.consumers import invokers_to_serve, make_consumers
from plain_backend import PlainQueue


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

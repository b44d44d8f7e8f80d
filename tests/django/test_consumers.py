"""Which queues the consumers of a project serve."""

from __future__ import annotations

import django
import pytest
from django.test import override_settings

from huey_core.consumer import ConsumerConfig
from huey_core.exceptions import ConfigurationError
from huey_django import get_invoker
from huey_django.consumers import invokers_to_serve, make_consumers
from plain_backend import PlainQueue

BACKEND = "huey_django.tasks.HueyBackend"


class TestQueues:
    @pytest.fixture(autouse=True)
    def settings_of_a_server(self):
        with override_settings(HUEY="redis://127.0.0.1:1/0?queue=shop", TASKS={}):
            yield

    def test_without_names_the_queue_of_the_settings_is_served(self):
        assert list(invokers_to_serve()) == [get_invoker()]

    def test_each_that_is_named_is_served_in_order(self):
        served = invokers_to_serve(["mail", "default"])
        assert [(one.queue.name, name) for one, name in served.items()] == [("mail", "mail"), ("shop", "default")]

    @pytest.mark.parametrize(
        ("given", "served"),
        [
            (None, None),
            (["mail", "default"], ["mail", "shop"]),
            ({"default": 3, "mail": 1}, {"shop": 3, "mail": 1}),
            (["default"], None),
        ],
        ids=["nothing", "in_order", "by_weight", "default"],
    )
    def test_one_consumer_serves_all_that_are_on_one_server(self, given, served):
        [consumer] = make_consumers(ConsumerConfig(serve_queues=given))
        assert consumer.config.serve_queues == served

    @pytest.mark.skipif(django.VERSION < (6, 0), reason="this Django has no tasks")
    def test_each_server_has_a_consumer_of_its_own_and_the_projects_runs_what_is_periodic(self, tmp_path):
        far = {"BACKEND": BACKEND, "OPTIONS": {"URL": f"sqlite:///{tmp_path}/far.sqlite3?queue=far"}}
        with override_settings(TASKS={"default": {"BACKEND": BACKEND, "QUEUES": ["default", "mail"]}, "far": far}):
            consumers = make_consumers(ConsumerConfig())
        served = [([one.queue.name for one in each.invokers], each.config.periodic) for each in consumers]
        assert served == [(["shop", "mail"], True), (["far"], False)]

    def test_an_event_loop_is_refused_since_database_connections_belong_to_threads(self):
        with pytest.raises(ConfigurationError, match="Django's database connections belong to a thread"):
            make_consumers(ConsumerConfig(worker_type="asyncio"))

    def test_no_consumer_has_periodic_commands_when_they_are_off(self):
        assert not make_consumers(ConsumerConfig(periodic=False))[0].config.periodic

    def test_a_plain_queue_is_served_as_it_does_not_say_where_it_is(self):
        with override_settings(HUEY=None, HUEY_CONFIG={"QUEUE": PlainQueue()}):
            assert len(make_consumers(ConsumerConfig())) == 1

    @pytest.mark.parametrize(
        ("settings", "warned"),
        [
            ({"threads": 8, "serve_queues": ["default", "mail"]}, 1),
            ({"workers": 8, "serve_queues": ["default", "mail"]}, 0),
            ({"threads": 8}, 0),
        ],
        ids=["threads", "workers", "one_queue"],
    )
    def test_threads_of_several_queues_are_warned_of(self, settings, warned, caplog):
        make_consumers(ConsumerConfig(**settings))
        assert len([line for line in caplog.messages if line.startswith("THREADS is 8")]) == warned

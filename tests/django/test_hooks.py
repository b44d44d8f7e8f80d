"""Around every command the consumer does what Django does around a request."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import InterfaceError, connections

from deployment import await_condition, whole_lines
from huey_core.exceptions import CommandError
from huey_django.hooks import release_connections

PLUGIN = """
from django.conf import settings
from huey_core.hookspecs import hookimpl
from huey_django import get_invoker
from orders.models import Order

class Audit:
    @hookimpl
    def huey_command_succeeded(self):
        (settings.FOLDER / "audit").write_text(f"{Order.objects.count()} orders\\n")

get_invoker().plugins.register(Audit())
"""


@pytest.fixture
def consumer(shop):
    """A consumer with one thread, so that one command follows another in it."""
    return shop.start("--threads", "1")


@pytest.fixture
def after_a_mess(shop, consumer):
    """A consumer whose thread has run a command that left everything in disorder, and raised."""
    with pytest.raises(CommandError, match="IntegrityError"):
        shop.call("leave_a_mess")


def is_closed(shop, consumer):
    return shop.open_databases(consumer) == 0


def test_a_command_has_a_connection_while_it_runs_and_none_is_left_open(shop, consumer):
    handle = shop.enqueue("place_and_wait", "a book", "go")
    shop.await_waiting("go")
    assert shop.open_databases(consumer)
    shop.let_go("go")
    assert handle.get(blocking=True, timeout=30) == 1
    await_condition(lambda: is_closed(shop, consumer), "the connection is closed")


@pytest.mark.usefixtures("after_a_mess")
def test_none_is_left_open_by_a_command_that_raised(shop, consumer):
    await_condition(lambda: is_closed(shop, consumer), "the connection is closed")


def test_none_is_left_open_by_a_coroutine(shop, consumer):
    assert shop.call("place_async", "a book") == 1
    await_condition(lambda: is_closed(shop, consumer), "the connection is closed")


def test_none_is_left_open_by_periodic_commands_that_are_asked_whether_they_are_due(shop, consumer):
    await_condition(shop.asked, "the periodic command was asked")
    await_condition(lambda: is_closed(shop, consumer), "the connection is closed")


def test_none_is_left_open_by_a_plugin_that_is_told_of_the_end_of_a_command(shop):
    with (shop.copy_code() / "tasks.py").open("a") as tasks:
        tasks.write(PLUGIN)
    consumer = shop.start("--no-periodic")
    shop.call("edition")
    await_condition(lambda: whole_lines(shop.folder / "audit"), "the plugin has counted")
    assert whole_lines(shop.folder / "audit") == ["0 orders"]
    await_condition(lambda: is_closed(shop, consumer), "the connection is closed")


@pytest.mark.usefixtures("consumer")
def test_a_command_begins_with_the_language_and_the_time_zone_of_the_settings(shop):
    seen = shop.call("look_around")
    assert (seen["language"], seen["time_zone"]) == ("en-gb", "Asia/Kolkata")


@pytest.mark.usefixtures("after_a_mess")
def test_language_and_time_zone_of_one_command_are_not_those_of_the_next(shop):
    seen = shop.call("look_around")
    assert (seen["language"], seen["time_zone"]) == ("en-gb", "Asia/Kolkata")


def test_the_log_of_queries_that_is_kept_while_debugging_is_emptied(deploy):
    shop = deploy(DEBUG=True)
    shop.start("--threads", "1")
    shop.call("place", "a book")
    assert shop.call("look_around")["queries"] == 0


@pytest.mark.usefixtures("after_a_mess")
def test_a_transaction_that_was_never_ended_is_rolled_back_and_does_not_harm_the_next_command(shop):
    assert not shop.call("look_around")["in_transaction"]
    assert shop.call("place", "a book") == 1


def test_a_connection_that_does_not_close_in_order_is_logged_and_does_no_harm(caplog):
    def close():
        raise InterfaceError("the server has gone away")

    def release():
        connections["default"].close = close
        release_connections()

    with caplog.at_level(logging.WARNING, "huey_django"), ThreadPoolExecutor(1) as pool:
        # In a thread, whose connections are its own.
        pool.submit(release).result()
    assert "the connection to database 'default' did not close in order" in caplog.text

"""Commands as classes: what they are made with, and what that means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from huey_core import QueueCommand
from huey_core.commands.options import CommandOptions
from huey_core.exceptions import ConfigurationError


class Note(QueueCommand, declare=False):
    defaults = CommandOptions.build(retries=7, retry_delay=2)


class Numbered(QueueCommand, declare=False):
    def create_id(self):
        return "number 1"


def test_a_naive_execute_time_is_in_utc():
    command = Note(execute_time=datetime(2030, 1, 2, 3, 4))

    assert command.eta == datetime(2030, 1, 2, 3, 4, tzinfo=UTC).timestamp()


def test_an_aware_execute_time_is_taken_as_it_is():
    moment = datetime(2030, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5)))

    assert Note(None, "id", moment).eta == moment.timestamp()


def test_retries_and_their_delay_come_after_the_time_as_in_the_original_api():
    command = Note("data", "id", None, 3, 10)

    assert (command.retries, command.options.retry_delay) == (3, 10.0)


def test_retries_that_are_not_given_are_those_of_the_class():
    command = Note(retry_delay=10)

    assert (command.retries, command.options.retry_delay) == (7, 10.0)


def test_a_class_can_make_its_identifiers_itself():
    assert (Numbered().task_id, Numbered(task_id="2").task_id) == ("number 1", "2")


def test_an_execute_time_that_is_no_time_is_refused_by_its_name():
    with pytest.raises(ConfigurationError, match=r"^execute_time must be"):
        Note(execute_time=60)

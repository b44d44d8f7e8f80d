"""Decorators that need no invoker: it is the project's, when the command is used."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import datetime

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.core.exceptions import SynchronousOnlyOperation
from django.db import transaction
from django.test import override_settings
from django.utils import translation

from huey_core import hookimpl
from huey_core.commands import CommandOption, flag
from huey_core.commands.registry import default_registry
from huey_core.exceptions import CommandConflict, ConfigurationError, Unsupported
from huey_django import crontab, every, get_invoker, periodic_command, queue_command
from plain_backend import PlainQueue


@queue_command
def bare(a, b):
    """Add two numbers."""
    return a + b


@queue_command()
def called(a):
    return a


@queue_command(name="decorators.named", retries=2, priority=3)
def named(a):
    return a


@queue_command(name="decorators.count_users")
async def count_users():
    return await User.objects.acount()


@queue_command(name="decorators.cancelled")
async def cancelled():
    raise asyncio.CancelledError


@periodic_command(every(seconds=30), name="decorators.blink", missed="once", overlap="skip")
def blink(): ...


@periodic_command(crontab(hour=3, minute=0), name="decorators.nightly")
def nightly():
    return "clean"


@pytest.fixture
def eager():
    """Commands run at once."""
    with override_settings(HUEY=None, HUEY_CONFIG={"ALWAYS_EAGER": True}):
        yield


@pytest.fixture
def forget():
    """Take a command that a test declares out of the registry again."""
    names = []
    yield names.append
    for name in names:
        default_registry.unregister(name)


@pytest.mark.usefixtures("eager")
def test_a_call_runs_with_parentheses_and_without():
    assert (bare(1, b=2), called(3), named(4)) == (3, 3, 4)


def test_a_function_keeps_its_name_and_its_text_and_can_be_run_here():
    assert (bare.__name__, bare.__doc__, bare.call_local(1, 2)) == ("bare", "Add two numbers.", 3)


def test_the_name_is_that_of_module_and_function_unless_another_is_given():
    names = [each.command_class.command_name for each in (bare, called, named)]
    assert names == [f"{__name__}.bare", f"{__name__}.called", "decorators.named"]


def test_options_are_those_of_the_core():
    assert (named.command_class.defaults.retries, named.command_class.defaults.priority) == (2, 3)


def test_the_invoker_is_that_of_the_settings_as_they_are_when_it_is_used():
    with override_settings(HUEY="memory://decorators?queue=other"):
        assert bare.invoker is get_invoker()
        assert bare.invoker.queue.name == "other"


def test_what_the_queue_cannot_do_is_told_at_the_call():
    with (
        override_settings(HUEY=None, HUEY_CONFIG={"QUEUE": PlainQueue()}),
        pytest.raises(Unsupported, match="priority="),
    ):
        named(1)


def test_two_commands_of_one_name_are_refused_and_both_are_named(forget):
    queue_command(name="decorators.taken")(lambda: 1)
    forget("decorators.taken")
    with pytest.raises(CommandConflict, match=r"decorators.taken.*test_decorators.py:\d+.*test_decorators.py:\d+"):
        queue_command(name="decorators.taken")(lambda: 2)


def test_an_invoker_in_the_place_of_the_function_is_refused():
    with pytest.raises(ConfigurationError, match="the invoker is the project's"):
        queue_command(get_invoker())


def test_an_option_that_does_not_exist_is_refused_and_the_closest_is_offered():
    with pytest.raises(ConfigurationError, match="retry_delay"):
        queue_command(retry_dealy=5)


@pytest.mark.parametrize("value", [1, ["default"], b"default"])
def test_a_wait_for_what_is_no_database_is_refused(value):
    with pytest.raises(ConfigurationError, match="on_commit is True, False or the alias"):
        queue_command(on_commit=value)
    with pytest.raises(ConfigurationError, match="on_commit is True, False or the alias"):
        bare.using(on_commit=value)


def test_a_periodic_command_is_asked_for_its_time_and_can_be_called():
    command = nightly.command_class()
    assert command.validate_datetime(datetime(2026, 1, 1, 3, 0))
    assert not command.validate_datetime(datetime(2026, 1, 1, 4, 0))
    assert nightly.call_local() == "clean"


def test_a_periodic_command_may_be_due_every_so_many_seconds_and_run_one_at_a_time():
    command_class = blink.command_class

    assert command_class.schedule == every(30)
    assert (command_class.missed, command_class.overlap) == ("once", "skip")


@pytest.mark.usefixtures("eager")
@pytest.mark.django_db
def test_a_coroutine_that_runs_at_once_sees_the_transaction_of_its_caller():
    User.objects.create(username="somebody")
    assert count_users() == 1


@pytest.mark.usefixtures("eager")
def test_a_coroutine_that_is_to_run_at_once_in_a_loop_is_refused_with_what_to_do():
    async def call():
        count_users()

    with pytest.raises(SynchronousOnlyOperation, match=r"call it with: await function\.acall\("):
        asyncio.run(call())


@pytest.mark.usefixtures("eager")
@pytest.mark.django_db(transaction=True)
def test_a_coroutine_runs_at_once_in_a_loop_if_it_is_called_through_a_thread():
    async def call():
        return await sync_to_async(count_users)()

    assert asyncio.run(call()) == 0


@pytest.mark.usefixtures("eager")
def test_a_coroutine_that_was_cancelled_is_one_that_failed():
    with pytest.raises(RuntimeError, match="the coroutine was cancelled"):
        cancelled()


@pytest.mark.usefixtures("eager")
@pytest.mark.django_db
def test_a_command_that_runs_at_once_leaves_language_and_connection_of_its_caller_alone():
    with translation.override("de"), transaction.atomic():
        User.objects.create(username="somebody")
        assert called(1) == 1
        assert translation.get_language() == "de"
    assert User.objects.count() == 1


FRESH = """
import sys
import huey_django

@huey_django.queue_command(retries=1, on_commit="archive")
def early(): ...

@huey_django.periodic_command(huey_django.crontab(minute="0"))
def hourly(): ...

from django.conf import settings
assert not settings.configured
assert not {"redis", "pymongo", "huey_redis", "sqlite3"} & set(sys.modules)
settings.configure(HUEY="redis://127.0.0.1:1/0?queue=late", DATABASES={"archive": {}})
print(early.invoker.queue.name)
"""


def test_commands_can_be_declared_before_the_settings_are_ready_and_nothing_connects():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    done = subprocess.run(
        [sys.executable, "-c", FRESH], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("late\n", "")


@pytest.mark.parametrize("call", [called, called.command, called.using(priority=1)])
def test_an_option_of_a_project_among_the_arguments_is_told_with_the_way_to_say_it(call):
    with pytest.raises(TypeError, match=r"on_commit is an option: use \.using\(on_commit=False\)\(\.\.\.\)"):
        call(1, on_commit=False)


def test_a_decorated_method_is_refused_when_its_class_is_made():
    # Before Python 3.12, what __set_name__ raises comes as the cause of another error.
    with pytest.raises((ConfigurationError, RuntimeError)):

        class Report:
            @queue_command
            def render(self): ...


class RunsBefore:
    """A plugin of the project that notes its own option."""

    option = CommandOption("audited", flag, False, help="Whether each run is noted.")

    def __init__(self):
        self.noted = []

    @hookimpl
    def huey_command_options(self):
        return [self.option]

    @hookimpl
    def huey_before_execute(self, command):
        if command.options[self.option]:
            self.noted.append(command.command_name)


def test_a_command_has_an_option_of_a_plugin_that_the_settings_name():
    plugin = RunsBefore()
    with override_settings(HUEY=None, HUEY_CONFIG={"ALWAYS_EAGER": True, "PLUGINS": [plugin]}):
        queue_command(name="decorators.audited", audited=True)(lambda: None)()

    assert plugin.noted == ["decorators.audited"]
    default_registry.unregister("decorators.audited")


def test_an_option_that_neither_core_nor_a_plugin_of_the_settings_has_is_refused():
    with (
        override_settings(HUEY=None, HUEY_CONFIG={"PLUGINS": [RunsBefore()]}),
        pytest.raises(ConfigurationError, match="did you mean 'audited'"),
    ):
        queue_command(auditted=True)

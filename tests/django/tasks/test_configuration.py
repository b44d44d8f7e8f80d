"""``TASKS``: what a project may write there, what is told when it is wrong, and what a backend says that it can do."""

from __future__ import annotations

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import django
import pytest
from django.tasks import Task, task, task_backends
from django.tasks.exceptions import InvalidTask, InvalidTaskBackend
from django.test import override_settings
from tasks.sample_tasks import add, fail

from huey_core.backends.capabilities import Capability
from huey_django import get_invoker
from huey_django.tasks import HueyBackend, HueyTask, invokers_of
from huey_memory import MemoryQueue
from plain_backend import PlainQueue, PlainStore

ON_6_1 = django.VERSION >= (6, 1)


class SimpleQueue(PlainQueue):
    """A queue that makes nothing of what is special about a task."""


class QueueWithoutDelay(MemoryQueue):
    """A queue that does all but delay."""

    capabilities = MemoryQueue.capabilities - {Capability.DELAY}


def problems(backend):
    return [(problem.id, problem.msg, problem.hint) for problem in backend.check()]


def test_a_backend_that_is_configured_has_no_problems(configure):
    assert problems(configure("memory://", RETRIES=3, RETRY_DELAY=1.5, ON_COMMIT="default")) == []


def test_the_place_of_the_project_is_the_default(configure):
    backend = configure(None)
    assert backend.invoker() is get_invoker()
    assert backend.invoker("mail") is get_invoker("mail")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"URL": "rediss2://localhost"}, "rediss2"),
        ({"URL": "memory://?qeue=a"}, "'queue'"),
        ({"URL": "localhost:6379"}, "is not a backend URL"),
        ({"RETRYS": 3}, "unknown key 'RETRYS'"),
        ({"RETRIES": "three"}, "retries must be a whole number"),
        ({"RETRY_DELAY": -1}, "retry_delay must be"),
        ({"ON_COMMIT": "reporting"}, "'reporting'"),
        ({"ON_COMMIT": ["default"]}, "['default']"),
        ({"ON_COMMIT": 1}, "not 1"),
    ],
)
def test_a_wrong_option_is_told_by_the_check(configure, options, message):
    [(check_id, text, _)] = problems(configure(options.pop("URL", None), **options))
    assert check_id == "huey_django.E006"
    assert text.startswith("TASKS['default']: ")
    assert message in text


def test_the_check_offers_the_closest_name(configure):
    [(_, _, hint)] = problems(configure(None, RETRYS=3))
    assert hint == "Did you mean 'RETRIES'?"


def test_a_password_is_not_told(configure):
    [(_, text, _)] = problems(configure("redis://user:secret@localhost/0?qeue=a"))
    assert "secret" not in text


@pytest.mark.parametrize("queues", ["mail", [1]])
def test_queues_that_are_no_list_of_names_are_told(configure, queues):
    [(_, text, _)] = problems(configure(None, queues=queues))
    assert text == "TASKS['default']: QUEUES is a list of names."


def test_options_that_are_no_dictionary_are_told(settings):
    settings.TASKS = {"default": {"BACKEND": "huey_django.tasks.HueyBackend", "OPTIONS": "redis://localhost"}}
    [(_, text, _)] = problems(task_backends["default"])
    assert text == "TASKS['default']: OPTIONS is a dictionary, not a str."


def test_a_module_with_tasks_can_be_imported_with_wrong_settings(configure):
    configure("rediss2://localhost")
    assert isinstance(task(priority=3)(add.func), Task)


def test_a_backend_can_do_what_its_server_can(configure):
    backend = configure("memory://")
    assert (backend.supports_defer, backend.supports_priority, backend.supports_get_result) == (True, True, True)
    assert backend.supports_async_task


def test_a_plain_queue_promises_nothing_more_than_to_run_tasks(settings, configure):
    settings.HUEY = None
    settings.HUEY_CONFIG = {"QUEUE": SimpleQueue("plain")}
    backend = configure(None)
    assert (backend.supports_defer, backend.supports_priority, backend.supports_get_result) == (False, False, False)
    with pytest.raises(InvalidTask, match="priority"):
        add.using(priority=1)
    with pytest.raises(NotImplementedError):
        add.enqueue(1, 2).refresh()


def test_a_plain_queue_with_a_place_for_its_schedule_can_delay(settings, configure):
    settings.HUEY = None
    settings.HUEY_CONFIG = {"QUEUE": SimpleQueue("plain"), "TASK_STORE": PlainStore("state")}
    assert configure(None).supports_defer


def test_an_option_that_the_queue_cannot_honour_is_refused(settings, configure):
    settings.HUEY = None
    settings.HUEY_CONFIG = {"QUEUE": QueueWithoutDelay("without")}
    configure(None)
    with pytest.raises(InvalidTask, match="retry_delay= needs"):
        fail.using(retries=1, retry_delay=10)


def test_a_default_that_the_queue_cannot_honour_is_told_by_the_check(settings, configure):
    settings.HUEY = None
    settings.HUEY_CONFIG = {"QUEUE": QueueWithoutDelay("without")}
    [(_, text, _)] = problems(configure(None, RETRY_DELAY=10))
    assert "retry_delay= needs" in text


@pytest.mark.parametrize("options", [{"retries": -1}, {"retry_backoff": 0}, {"expires": "soon"}, {"on_commit": 3}])
def test_a_value_that_an_option_cannot_have_is_refused(options):
    with pytest.raises(InvalidTask, match=next(iter(options))):
        fail.using(**options)


def test_an_option_that_there_is_not_is_refused():
    with pytest.raises(TypeError, match="unique_key"):
        fail.using(unique_key="a")


def test_a_function_has_its_options_for_good(configure):
    configure("memory://")
    declared = task(retries=3, priority=2)(fail.func) if ON_6_1 else task(priority=2)(fail.func).using(retries=3)
    assert isinstance(declared, HueyTask)
    assert (declared.retries, declared.priority, declared.using(priority=4).retries) == (3, 2, 3)


def test_a_task_that_was_declared_for_another_backend_can_be_sent_through_this_one(configure):
    immediate = {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}
    with override_settings(TASKS={"default": immediate}):
        plain = task(add.func)
    configure("memory://plain-task")
    result = plain.enqueue(1, 2)
    assert add.get_result(result.id).args == [1, 2]


def test_a_task_can_be_sent_through_another_backend(settings, configure):
    settings.TASKS = {
        "default": {"BACKEND": "huey_django.tasks.HueyBackend", "OPTIONS": {"URL": "memory://"}},
        "immediate": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"},
    }
    assert add.using(backend="immediate").enqueue(1, 2).return_value == 3


@pytest.mark.parametrize("copied", [lambda result: result.task, lambda result: result])
def test_tasks_and_results_can_be_pickled_where_django_can(configure, copied):
    configure("memory://pickled")
    original = copied(add.using(priority=3).enqueue(1, 2))
    if ON_6_1:
        assert pickle.loads(pickle.dumps(original)) == original
    else:
        with pytest.raises(pickle.PicklingError):
            pickle.dumps(original)


def test_the_invokers_of_an_alias_are_those_of_its_queues(configure):
    backend = configure("memory://", queues=["mail", "default"])
    assert invokers_of("default") == {"default": backend.invoker(), "mail": backend.invoker("mail")}
    assert backend.invoker("mail").queue.name == "mail"


def test_queues_that_are_served_need_not_be_listed_again(settings):
    settings.HUEY, settings.HUEY_CONFIG = "memory://", {"SERVE_QUEUES": {"default": 3, "mail": 1}}
    settings.TASKS = {"default": {"BACKEND": "huey_django.tasks.HueyBackend"}}
    assert sorted(invokers_of("default")) == ["default", "mail"]


def test_without_a_list_there_is_one_queue(configure):
    configure("memory://", queues=[])
    assert list(invokers_of("default")) == ["default"]


def test_another_backend_has_no_invokers(settings):
    settings.TASKS = {"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}
    assert invokers_of("default") == {}


def test_an_unknown_alias_is_refused():
    with pytest.raises(InvalidTaskBackend):
        invokers_of("nothing")


def test_all_threads_share_the_connections(configure):
    configure("memory://shared")
    meet = threading.Barrier(4)

    def enqueue(_):
        meet.wait(60)
        backend = task_backends["default"]
        add.enqueue(1, 2)
        return backend, backend.invoker()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(enqueue, range(4)))
    assert len({id(backend) for backend, _ in found}) == 4
    assert len({id(invoker) for _, invoker in found}) == 1


def test_the_settings_are_followed(configure, settings):
    before = configure("memory://before").invoker()
    assert configure("memory://after").invoker() is not before
    settings.HUEY_CONFIG = {"ALWAYS_EAGER": True}
    assert task_backends["default"].invoker().always_eager


def test_a_subclass_sends_the_signals_in_its_own_name(settings, signals):
    settings.TASKS = {"default": {"BACKEND": f"{__name__}.Renamed", "OPTIONS": {"URL": "memory://"}}}
    add.enqueue(1, 2)
    assert [sender for _, sender, _ in signals] == [Renamed]


class Renamed(HueyBackend):
    """A project's own backend."""

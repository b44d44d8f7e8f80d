"""What cannot be used is refused where it is given: by the invoker, or by a call."""

from __future__ import annotations

import pytest

from huey_core import Invoker, queue_command
from huey_core.consumer import Consumer
from huey_core.exceptions import CommandError, ConfigurationError

CALLS = {
    "a call": lambda function, *args, **kwargs: function(*args, **kwargs),
    "schedule": lambda function, *args, **kwargs: function.schedule(args, kwargs),
    "using": lambda function, *args, **kwargs: function.using(priority=1)(*args, **kwargs),
    "command": lambda function, *args, **kwargs: function.command(*args, **kwargs),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("kwargs", [{"colour": 1}, {"priority": 50}, {"countdown": 5}, {"path": 1}], ids=repr)
def test_a_call_that_the_function_does_not_take_is_refused_where_it_is_made(invoker, call, kwargs):
    @queue_command(invoker)
    def resize(path): ...

    with pytest.raises(TypeError, match=rf"resize\(\) got .*{next(iter(kwargs))}"):
        call(resize, "a.png", **kwargs)

    assert invoker.queue.counts().ready == 0


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_nothing_is_refused_with_check_arguments_off(make_invoker, call):
    invoker = make_invoker(check_arguments=False)

    @queue_command(invoker)
    def resize(path): ...

    call(resize, "a.png", "b.png", priority=50)


def test_a_command_may_lack_arguments_until_it_is_enqueued(invoker):
    @queue_command(invoker)
    def resize(path, width): ...

    whole, incomplete = resize.command("a.png", 5), resize.command("a.png")

    with pytest.raises(TypeError, match=r"resize\(\) missing 1 required positional argument: 'width'"):
        invoker.enqueue_many([whole, incomplete])
    assert invoker.queue.counts().ready == 0


def test_a_command_that_came_out_of_a_queue_goes_back_whatever_has_become_of_its_function(invoker):
    queue_command(invoker, name="resize")(lambda path: None)("a.png")
    invoker.registry.unregister("resize")
    queue_command(invoker, name="resize")(lambda path, width: None)

    invoker.enqueue(invoker.dequeue())

    assert invoker.queue.counts().ready == 1


def test_a_message_whose_function_has_changed_fails_in_the_consumer_with_what_the_function_says(invoker):
    handle = queue_command(invoker, name="resize")(lambda path: None)("a.png")
    invoker.registry.unregister("resize")

    @queue_command(invoker, name="resize")
    def resize(path, width): ...

    with Consumer(invoker, periodic=False).running(), pytest.raises(CommandError) as failure:
        handle.get(blocking=True, timeout=60)

    assert failure.value.type_name == "builtins.TypeError"
    assert "resize() missing 1 required positional argument: 'width'" in failure.value.message


@pytest.mark.parametrize("always_eager", [False, True])
@pytest.mark.parametrize("kind", ["CommandFunction", "AsyncData", "dict"])
def test_what_is_no_command_is_not_enqueued(make_invoker, kind, always_eager):
    invoker = make_invoker(always_eager=always_eager)
    add = queue_command(invoker, name="add")(lambda: 1)
    given = {"CommandFunction": add, "AsyncData": add(), "dict": {}}[kind]

    with pytest.raises(TypeError, match=rf"^a {kind} cannot be enqueued; .* function\.command"):
        invoker.enqueue(given)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"queue": None}, "queue"),
        ({"queue": 5}, "queue"),
        ({"queue": "memory://", "result_store": b"memory://"}, "result_store"),
        ({"queue": "memory://", "lease": -5}, "lease"),
        ({"queue": "memory://", "lease": "60"}, "lease"),
        ({"queue": "memory://", "result_ttl": -1}, "result_ttl"),
        ({"queue": "memory://", "result_ttl": float("nan")}, "result_ttl"),
        ({"queue": "memory://", "result_ttl": float("inf")}, "result_ttl"),
        ({"queue": "memory://?result_ttl=999999999999d"}, "result_ttl"),
        ({"queue": "memory://", "lease": float("inf")}, "lease"),
        ({"queue": "memory://?lease=999999999999d"}, "lease"),
        ({"queue": "memory://", "max_body_size": 0}, "max_body_size"),
        ({"queue": "memory://", "max_body_size": "1MiB"}, "max_body_size"),
        ({"queue": "memory://", "serializer": 5}, "serializer"),
        ({"queue": "memory://", "accept": ["json", None]}, "serializer"),
    ],
)
def test_an_argument_that_cannot_be_used_is_named(arguments, named):
    with pytest.raises(ConfigurationError, match=named):
        Invoker(**arguments)

"""A call that its function does not take is refused where it is made."""

from __future__ import annotations

import pytest

from huey_core import queue_command
from huey_core.consumer import Consumer
from huey_core.exceptions import CommandError

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

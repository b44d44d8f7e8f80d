"""Tasks for the tests. Some note what they do in lists, for consumers that are threads of the tests' own process."""

from __future__ import annotations

import threading
from typing import Any

from django.tasks import task

from huey_core import current_command

calls: list[Any] = []
"""What tasks and functions were called with, in order."""

gate = threading.Event()
"""What :func:`wait_at_the_gate` waits for."""


@task
def note(value):
    calls.append(value)


@task
def add(a, b):
    return a + b


@task
async def add_later(a, b):
    return a + b


@task
def fail():
    calls.append("fail")
    raise ValueError("it went wrong")


@task
async def fail_later():
    raise ValueError("it went wrong")


@task
def quote_bytes():
    raise SyntaxError("bad rule", ("rules.txt", 1, 2, b"text"))


@task
def leave():
    raise SystemExit("enough")


@task
def kill_the_worker():
    calls.append("killed")
    raise KeyboardInterrupt


@task
def succeed_the_second_time():
    calls.append("tried")
    if len(calls) < 2:
        raise ValueError("not yet")
    return "at last"


@task
def return_an_object():
    calls.append("returned")
    return object()


@task
def return_itself():
    calls.append("returned")
    value = []
    value.append(value)
    return value


@task
def return_half_a_pair():
    # Half of a surrogate pair, which JSON can write and UTF-8 cannot.
    calls.append("returned")
    return "\ud800"


@task
def take_from_the_list(items):
    calls.append(items.pop())
    if len(calls) < 2:
        raise ValueError("not yet")
    return items


@task
def miss_a_file():
    raise FileNotFoundError("no caf\udce9.txt")


@task
def raise_a_type_error():
    raise TypeError("not this")


@task
def echo(value):
    return value


@task
def wait_at_the_gate():
    assert gate.wait(120)


@task(takes_context=True)
def look_at_context(context, *values):
    result = context.task_result
    return [context.attempt, result.id, result.status, list(values)]


@task
def look_at_run():
    run = current_command()
    return [run.task_id, run.delivery_count, run.log.logger.name]


@task
async def cancel_itself():
    import asyncio

    raise asyncio.CancelledError


def no_task(*args):
    calls.append(args)

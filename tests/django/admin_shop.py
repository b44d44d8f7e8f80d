"""What the tests of the admin put into a queue, and where they look at it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.utils import quote

from huey_core.backends.leased import LeasedQueue
from huey_core.backends.messages import State
from huey_core.backends.outcomes import Bury
from huey_django import get_invoker, queue_command
from huey_django.models import Command

__all__ = ["OVERVIEW", "bury", "ids_in", "list_url", "message_url", "schedule", "send_mail"]

OVERVIEW = "/admin/huey_django/command/"


# The tests run in a transaction that is never committed.
@queue_command(name="shop.send_mail", on_commit=False)
def send_mail(to, text="", **more):
    pass


def bury(*arguments: Any, reason: str = "ValueError: no", detail: str = "", **more: Any) -> str:
    """Enqueue a command in an empty queue, make it a dead letter, and return its id."""
    handle = send_mail(*(arguments or ("anna@example.org",)), **more)
    queue = get_invoker().leased_queue
    assert queue is not None
    [delivery] = queue.claim(1, 60.0).deliveries
    assert queue.settle([Bury(delivery, reason, detail)]) == [True]
    return str(handle.task_id)


def schedule(*arguments: Any) -> str:
    """Enqueue a command that is due in an hour, and return its id."""
    return str(send_mail.schedule(args=arguments or ("bert@example.org",), delay=3600).task_id)


def ids_in(queue: LeasedQueue, state: State) -> list[str]:
    """The ids of the messages in a state."""
    return [message.message_id for message in queue.peek(state)]


def list_url(state: str, queue: str = "default") -> str:
    """The list of the messages in a state."""
    return f"{OVERVIEW}queue/{quote(queue)}/{state}/"


def message_url(message_id: str, queue: str = "default") -> str:
    """The page of a message."""
    return f"{OVERVIEW}{quote(Command.address_of(queue, message_id))}/change/"

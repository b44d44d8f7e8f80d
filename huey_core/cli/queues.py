"""``huey queues``: every queue of a server at a glance."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from huey_core.backends.capabilities import Capability
from huey_core.cli.output import echo_json, echo_table
from huey_core.cli.target import json_option, lacks, opened, server_errors, url_argument
from huey_core.inspection.queues import queues_of

if TYPE_CHECKING:
    from huey_core.inspection.queues import QueueFacts

__all__ = ["queues"]


@click.command(
    epilog="""
    \b
    Example:    huey queues redis://localhost:6379/0
    Exit code:  0  done, also when there are none
                1  the server cannot be reached, or its plugin cannot list queues
                2  the command line is wrong
    """,
)
@url_argument
@json_option
def queues(url: str | None, as_json: bool) -> None:
    """List the queues of a server that have messages, or are paused.

    That is: how many messages of each are ready, scheduled, running and dead, and for how long the oldest of those that
    are ready has waited. The queue that the URL names is one among the others. Only messages and a pause make a queue:
    one whose commands were all run is not there.
    """
    with opened(url) as backend:
        if Capability.LIST_QUEUES not in backend.capabilities:
            raise lacks(backend, Capability.LIST_QUEUES)
        with server_errors(backend):
            found = list(queues_of(backend))
    if as_json:
        echo_json([_as_json(queue) for queue in found])
    elif found:
        echo_table(("queue", "ready", "scheduled", "running", "dead", "oldest", ""), [_row(queue) for queue in found])
    else:
        click.echo("no queue has a message")


def _as_json(queue: QueueFacts) -> dict[str, Any]:
    return {"queue": queue.name, **asdict(queue.counts), "oldest_ready_seconds": queue.waited}


def _row(queue: QueueFacts) -> tuple[str, ...]:
    counts = queue.counts
    numbers = map(str, (counts.ready, counts.scheduled, counts.running, counts.dead))
    waited = "" if queue.waited is None else str(timedelta(seconds=round(queue.waited)))
    return queue.name, *numbers, waited, "paused" if counts.paused else ""

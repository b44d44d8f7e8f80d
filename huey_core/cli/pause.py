"""``huey pause`` and ``huey resume``."""

from __future__ import annotations

import click

from huey_core.backends.capabilities import Capability
from huey_core.cli.target import open_leased_queue, queue_option, url_argument

__all__ = ["pause", "resume"]


@click.command(
    epilog="""
    \b
    Example:    huey pause redis://localhost:6379/0 --queue mail
    Exit code:  0  the queue is paused, also when it was before
                1  the server cannot be reached, or its plugin cannot pause
                2  the command line is wrong
    """,
)
@url_argument
@queue_option
def pause(url: str | None, queue_name: str | None) -> None:
    """Pause a queue for every consumer, until "huey resume".

    Commands that run go on to their end; enqueueing goes on as well.
    """
    with open_leased_queue(url, queue_name, Capability.PAUSE) as queue:
        queue.pause()
        click.echo(f"queue {queue.name!r} is paused")


@click.command(
    epilog="""
    \b
    Example:    huey resume redis://localhost:6379/0 --queue mail
    Exit code:  0  the queue is not paused, also when it was not before
                1  the server cannot be reached, or its plugin cannot pause
                2  the command line is wrong
    """,
)
@url_argument
@queue_option
def resume(url: str | None, queue_name: str | None) -> None:
    """Let the consumers of a paused queue go on."""
    with open_leased_queue(url, queue_name, Capability.PAUSE) as queue:
        queue.resume()
        click.echo(f"queue {queue.name!r} goes on")

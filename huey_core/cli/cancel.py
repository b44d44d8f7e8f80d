"""``huey cancel``."""

from __future__ import annotations

import click

from huey_core.backends.queue_names import STATE_PREFIX
from huey_core.cli.target import opened, queue_option, server_errors, split_url
from huey_core.exceptions import Unsupported
from huey_core.features.revocation import Revocations, keeps_revocations

__all__ = ["cancel"]


@click.command(
    epilog="""
    \b
    Example:    huey cancel redis://localhost:6379/0 9f86d081884c7d659a2feaa0c55ad015
    Exit code:  0  done; whether there are such commands is not looked at
                1  the server cannot be reached, or its plugin cannot keep revocations
                2  the command line is wrong
    """,
)
@click.argument("words", nargs=-1, required=True, metavar="[URL] ID...")
@queue_option
def cancel(words: tuple[str, ...], queue_name: str | None) -> None:
    """Cancel commands, by the ids of their calls, whether they run or wait.

    One that runs is interrupted within a second, as far as the worker pool of its consumer is able to. One that does
    not run yet is dropped when its turn comes.
    """
    url, ids = split_url(words)
    if not ids:
        raise click.UsageError("give the id of a command")
    with opened(url) as backend:
        name = queue_name or backend.url.options["queue"]
        store = backend.data_store(f"{STATE_PREFIX}{name}")
        if not keeps_revocations(store):
            raise Unsupported(f"the plugin of {backend.url.scheme}:// has no 'locks', which cancelling needs")
        with server_errors(backend):
            for task_id in ids:
                Revocations(store).revoke_call(task_id, terminate=True)
                click.echo(f"{task_id} of queue {name!r} is cancelled")

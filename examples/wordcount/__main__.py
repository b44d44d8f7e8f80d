"""The command line: finds the queue and the files, and leaves the rest to the producer."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click

from huey_core.exceptions import QueueException

from .temporary_queues import redis_server, sqlite_file
from .words import STANDARD_LIBRARY, source_files


@click.command()
@click.option(
    "--url",
    help="A server and an empty queue on it, such as redis://localhost:6379/0?queue=wordcount. "
    "By default the environment variable HUEY_URL, or else an SQLite file that lives as long as the demo.",
)
@click.option("--redis", is_flag=True, help="Start a Redis server of the demo's own, and stop it at the end.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=STANDARD_LIBRARY,
    help="Count the Python files of this folder instead of those of Python's standard library.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Count only so many files.")
def main(url: str | None, redis: bool, folder: Path, limit: int | None) -> None:
    """Count the words of Python's standard library with a task queue.

    One command is sent for every source file. Two consumer processes run them, and when a third of the results are
    in, one of the two is killed with SIGKILL. The commands that it held are delivered again to the other one, so the
    totals are right all the same: they are compared with a direct count, and if they differ the exit code is 1.
    """
    if url and redis:
        raise click.UsageError("give --url or --redis, not both")
    with _queue_url(url or os.environ.get("HUEY_URL"), redis) as queue_url:
        os.environ["HUEY_URL"] = queue_url
        # The application reads HUEY_URL when it is imported, here and in the consumers.
        from .producer import run

        try:
            right = run(folder.absolute(), source_files(folder)[:limit])
        except QueueException as error:
            raise click.ClickException(f"{type(error).__name__}: {error}") from error
    sys.exit(0 if right else 1)


def _queue_url(url: str | None, redis: bool) -> AbstractContextManager[str]:
    if redis:
        return redis_server()
    return nullcontext(url) if url else sqlite_file()


main(prog_name="python -m wordcount")

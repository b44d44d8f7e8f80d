"""``huey periodic``: look at schedules, pause and resume them, run one now, remove one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from huey_core.cli.application import opened_target
from huey_core.cli.output import echo_json, echo_table, timestamp
from huey_core.cli.target import json_option, queue_option
from huey_core.exceptions import CommandNotFound, ScheduleNotFound
from huey_core.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huey_core.invoker.schedules.at_run_time import Schedules
    from huey_core.invoker.schedules.info import ScheduleInfo

__all__ = ["periodic"]

words_argument = click.argument("words", nargs=-1, required=True, metavar="[APP|URL] NAME")


@click.group()
def periodic() -> None:
    """Look at schedules, pause and resume them, run one now, remove one.

    A schedule runs a command by the clock. Some are declared in code, by periodic_command, under the name of their
    command. Others were made at run time, by invoker.schedules.add(), and are kept in the task store of their queue.
    Whichever it is, a change here is seen by all consumers within two seconds.

    APP is the dotted path of the application: of a configuration class such as main.Configuration, as for huey
    consumer, of an invoker such as main.invoker, or of a function that returns one. It is imported, so that the
    schedules that it declares are known. A URL such as redis://localhost:6379/0, or HUEY_URL, is enough for those
    that are kept.
    """


@periodic.command(
    name="list",
    epilog="""
    \b
    State:      active      consumers run it when it is due
                paused      nothing is run until "huey periodic resume"
                revoked     its command is revoked: what is due is dropped, until restore() is called
                unreadable  another version wrote it; consumers of that version may run it
    From:       declared    by periodic_command in the code
                kept        made at run time, in the task store
    Examples:   huey periodic list main.Configuration
                huey periodic list redis://localhost:6379/0 --queue mail
    Exit code:  0  done, also when there are none
                1  the server cannot be reached, or its plugin cannot keep schedules
                2  the command line is wrong
    """,
)
@click.argument("target", required=False, metavar="[APP|URL]")
@queue_option
@click.option(
    "--local",
    is_flag=True,
    help="Declared schedules without a time zone go by local time, as for consumers with UTC = False; a configuration "
    "class says so by itself.",
)
@json_option
def list_(target: str | None, queue_name: str | None, local: bool, as_json: bool) -> None:
    """List the schedules of a queue, with their next and their last runs.

    The last run is that by the clock. Of a URL, those that are declared are listed only while they are paused.
    """
    with opened_target(target, queue_name) as opened:
        found = opened.invoker.schedules.list(utc=opened.utc and not local)
        name = opened.invoker.queue.name
    if as_json:
        echo_json([_as_json(info) for info in found])
    elif found:
        echo_table(("name", "state", "from", "next run", "last run", "schedule", "command"), list(map(_row, found)))
    elif opened.knows_commands:
        click.echo(printable(f"queue {name!r} has no schedules"))
    else:
        click.echo(
            printable(
                f"queue {name!r} has no schedules that were made at run time, and none that is paused; for those that "
                "are declared in code, give the application, such as main.Configuration"
            )
        )


def _as_json(info: ScheduleInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "command": info.command_name,
        "schedule": _shown(info),
        "state": info.state,
        "declared": info.is_declared,
        "missed": info.missed,
        "overlap": info.overlap,
        "next_run": timestamp(info.next_run) or None,
        "last_run": timestamp(info.last_run) or None,
    }


def _row(info: ScheduleInfo) -> tuple[str, ...]:
    source = "declared" if info.is_declared else "kept"
    times = timestamp(info.next_run), timestamp(info.last_run)
    return info.name, info.state, source, *times, _shown(info), info.command_name


def _shown(info: ScheduleInfo) -> str:
    return "" if info.schedule is None else str(info.schedule)


@periodic.command(
    epilog="""
    \b
    Examples:   huey periodic pause main.Configuration shop.commands.clean_up
                huey periodic pause redis://localhost:6379/0 nightly-report
    Exit code:  0  it is paused, also when it was before
                1  there is no such schedule, or the server cannot be reached
                2  the command line is wrong
    """,
)
@words_argument
@queue_option
def pause(words: tuple[str, ...], queue_name: str | None) -> None:
    """Pause a schedule for every consumer, until "huey periodic resume".

    What it has enqueued runs all the same. Calls of its command go on: to keep those from running as well, revoke the
    command.
    """
    with _named(words, queue_name) as (schedules, name, queue):
        schedules.pause(name)
        click.echo(printable(f"{name!r} of queue {queue!r} is paused"))


@periodic.command(
    epilog="""
    \b
    Example:    huey periodic resume main.Configuration nightly-report
    Exit code:  0  it is not paused, also when it was not before
                1  there is no such schedule, or the server cannot be reached
                2  the command line is wrong
    """,
)
@words_argument
@queue_option
def resume(words: tuple[str, ...], queue_name: str | None) -> None:
    """Let a paused schedule go on. What was due meanwhile is not made up for."""
    with _named(words, queue_name) as (schedules, name, queue):
        schedules.resume(name)
        click.echo(printable(f"{name!r} of queue {queue!r} goes on"))


@periodic.command(
    epilog="""
    \b
    Example:    huey periodic run main.Configuration nightly-report
    Exit code:  0  it is enqueued
                1  there is no such schedule, APP does not know its command, or the server cannot be reached
                2  the command line is wrong
    """,
)
@words_argument
@queue_option
def run(words: tuple[str, ...], queue_name: str | None) -> None:
    """Enqueue one run of a schedule now, also of one that is paused.

    This needs APP, which knows the command. The id of the call is printed. The next run by the clock comes all the
    same.
    """
    with _named(words, queue_name) as (schedules, name, queue):
        enqueued = schedules.run(name)
        task_id = getattr(enqueued, "task_id", None)
        click.echo(printable(f"{name!r} of queue {queue!r} is enqueued" + (f" as {task_id}" if task_id else "")))


@periodic.command(
    epilog="""
    \b
    Example:    huey periodic remove redis://localhost:6379/0 nightly-report
    Exit code:  0  it is removed
                1  there is no such schedule, it is declared in code, or the server cannot be reached
                2  the command line is wrong
    """,
)
@words_argument
@queue_option
def remove(words: tuple[str, ...], queue_name: str | None) -> None:
    """Remove a schedule that was made at run time. What it has enqueued runs all the same."""
    with _named(words, queue_name) as (schedules, name, queue):
        schedules.remove(name)
        click.echo(printable(f"{name!r} of queue {queue!r} is removed"))


@contextlib.contextmanager
def _named(words: tuple[str, ...], queue_name: str | None) -> Iterator[tuple[Schedules, str, str]]:
    """The schedules of a queue, the name of one, and that of the queue."""
    if len(words) > 2:
        raise click.UsageError("give the application or a URL, and the name of one schedule")
    target, name = (None, *words) if len(words) == 1 else words
    with opened_target(target, queue_name) as opened:
        try:
            yield opened.invoker.schedules, name, opened.invoker.queue.name
        except (ScheduleNotFound, CommandNotFound) as error:
            if opened.knows_commands:
                raise
            hint = "a URL does not say what commands there are: give the application, such as main.Configuration"
            raise click.ClickException(printable(f"{error} ({hint})")) from error

"""``huey dead``: look at dead letters, retry them, delete them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click

from huey_core.backends.capabilities import Capability
from huey_core.backends.messages import State
from huey_core.cli.dead_letter import as_json as message_as_json
from huey_core.cli.dead_letter import command_name, echo_message
from huey_core.cli.output import echo_json, echo_table, timestamp
from huey_core.cli.target import (
    json_option,
    open_invoker,
    open_leased_queue,
    parse_age,
    queue_option,
    split_url,
    url_argument,
)
from huey_core.inspection.actions import dead_ids
from huey_core.inspection.actions import delete as delete_messages
from huey_core.inspection.actions import retry as retry_messages
from huey_core.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from huey_core.inspection.actions import Acted

__all__ = ["dead"]

_EXPIRED: Final = "expired, and would be dropped without a run; call the command again, or delete the dead letter"

words_argument = click.argument("words", nargs=-1, metavar="[URL] [ID]...")
all_option = click.option("--all", "every", is_flag=True, help="Take every dead letter of the queue.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


@click.group()
def dead() -> None:
    """Look at dead letters, retry them, or delete them.

    A message becomes a dead letter when it cannot be read, when its command is unknown, when the command failed for
    good and is declared with keep_failed, or when it was delivered again and again and no worker lived to report an
    outcome. It is kept, with the reason, until an operator decides.
    """


@dead.command(
    name="list",
    epilog="""
    \b
    Example:    huey dead list redis://localhost:6379/0 --limit 20
    Exit code:  0  done, also when there are none
                1  the server cannot be reached, or its plugin cannot list messages
                2  the command line is wrong
    """,
)
@url_argument
@queue_option
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Show at most so many.")
@click.option("--offset", type=click.IntRange(0), default=0, show_default=True, help="Leave out so many, the latest.")
@json_option
def list_(url: str | None, queue_name: str | None, limit: int, offset: int, as_json: bool) -> None:
    """List dead letters, the last one buried first."""
    with open_leased_queue(url, queue_name, Capability.INSPECT) as queue:
        messages = queue.peek(State.DEAD, offset, limit)
        total = queue.counts().dead
    if as_json:
        echo_json([message_as_json(message) for message in messages])
    elif messages:
        echo_table(
            ("id", "command", "buried", "reason"),
            [(each.message_id, command_name(each), timestamp(each.due), each.reason) for each in messages],
        )
        if len(messages) < total:
            click.echo(f"{len(messages)} of {total}; --limit and --offset show others", err=True)
    else:
        click.echo(f"queue {queue.name!r} has no dead letters" + (f" after the first {offset}" if offset else ""))


@dead.command(
    epilog="""
    \b
    Example:    huey dead show redis://localhost:6379/0 9f86d081884c7d659a2feaa0c55ad015
    Exit code:  0  done
                1  there is no such message, or the server cannot be reached
                2  the command line is wrong
    """,
)
@click.argument("words", nargs=-1, required=True, metavar="[URL] ID")
@queue_option
@json_option
def show(words: tuple[str, ...], queue_name: str | None, as_json: bool) -> None:
    """Show one message: its header, why it was buried, and the traceback if there is one.

    Only the size of its arguments is shown: reading them could mean to run code that the message chose.
    """
    url, ids = split_url(words)
    if len(ids) != 1:
        raise click.UsageError("give the id of one message")
    with open_leased_queue(url, queue_name, Capability.INSPECT) as queue:
        found = queue.find(ids)
    if not found:
        raise click.ClickException(f"queue {queue.name!r} has no message {ids[0]}")
    if as_json:
        echo_json(message_as_json(found[0], details=True))
    else:
        echo_message(found[0])


@dead.command(
    epilog="""
    \b
    Examples:   huey dead retry redis://localhost:6379/0 9f86d081884c7d659a2feaa0c55ad015
                huey dead retry redis://localhost:6379/0 --all
    Exit code:  0  all were put back; with --all, all that have not expired
                1  some were not, or the server cannot be reached; or you said no
                2  the command line is wrong
    """,
)
@words_argument
@queue_option
@all_option
@yes_option
@json_option
def retry(*, words: tuple[str, ...], queue_name: str | None, every: bool, yes: bool, as_json: bool) -> None:
    """Put dead letters back into the queue, to be run again as soon as a worker is free.

    Those that have expired stay where they are: a consumer would drop them without a run.
    """
    url, ids = split_url(words)
    _require_one_choice(ids, "--all" if every else None)
    with open_leased_queue(url, queue_name, Capability.INSPECT) as queue:
        if every:
            ids = dead_ids(queue)
            _confirm(f"Retry {counted(len(ids), 'dead letter')} of queue {queue.name!r}?", skip=yes or not ids)
        done = _Done.collect(retry_messages(queue, ids), "another live message has its unique key")
    done.report("retried", as_json, passing_over_expired=every)


@dead.command(
    epilog="""
    \b
    Examples:   huey dead delete redis://localhost:6379/0 9f86d081884c7d659a2feaa0c55ad015
                huey dead delete redis://localhost:6379/0 --older-than 7d --yes
    Exit code:  0  all were deleted
                1  some were not, or the server cannot be reached; or you said no
                2  the command line is wrong
    """,
)
@words_argument
@queue_option
@all_option
@click.option(
    "--older-than", callback=parse_age, metavar="AGE", help="Take those buried longer ago, for example 7d or 12h."
)
@yes_option
@json_option
def delete(
    *, words: tuple[str, ...], queue_name: str | None, every: bool, older_than: float | None, yes: bool, as_json: bool
) -> None:
    """Delete dead letters for good."""
    url, ids = split_url(words)
    _require_one_choice(ids, "--all" if every else None, None if older_than is None else "--older-than")
    with open_invoker(url, queue_name, Capability.INSPECT) as (invoker, queue):
        if not ids:
            ids = dead_ids(queue, queue.now() - older_than if older_than else None)
            _confirm(f"Delete {counted(len(ids), 'dead letter')} of queue {queue.name!r}?", skip=yes or not ids)
        done = _Done.collect(delete_messages(invoker, ids, State.DEAD), "it is gone")
    done.report("deleted", as_json)


def _require_one_choice(ids: list[str], *options: str | None) -> None:
    choices = [option for option in options if option] + (["ids"] if ids else [])
    if len(choices) > 1:
        raise click.UsageError(f"give only one of {' and '.join(choices)}")
    if not choices:
        raise click.UsageError("give the ids of messages, or --all")


def _confirm(question: str, skip: bool) -> None:
    if not skip:
        click.confirm(question, abort=True, err=True)


@dataclass
class _Done:
    """To which dead letters something was done, and why not to the others."""

    ids: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    expired: dict[str, str] = field(default_factory=dict)

    @classmethod
    def collect(cls, parts: Iterable[Acted], otherwise: str) -> _Done:
        """Do it, portion by portion; ``otherwise`` is why the queue refuses one."""
        done = cls()
        for part in parts:
            done.ids += [message.message_id for message in part.done]
            done.expired |= {message.message_id: f"it has {_EXPIRED}" for message in part.expired}
            done.refused |= {message.message_id: otherwise for message in part.refused}
            done.refused |= {
                each: f"it is {now}, not dead" if now else "there is no such message"
                for each, now in part.moved.items()
            }
        return done

    def report(self, verb: str, as_json: bool, passing_over_expired: bool = False) -> None:
        """Print it and exit. Messages that have expired are an error unless they are to be passed over."""
        refused = self.refused | self.expired
        if as_json:
            echo_json({verb: self.ids, "refused": refused})
        else:
            click.echo(f"{verb} {len(self.ids)} of {len(self.ids) + len(refused)}")
            for message_id, reason in (self.refused if passing_over_expired else refused).items():
                click.echo(f"{printable(message_id)}: {reason}", err=True)
            if passing_over_expired and self.expired:
                click.echo(f"{counted(len(self.expired), 'dead letter')} had {_EXPIRED}", err=True)
        sys.exit(1 if self.refused or (self.expired and not passing_over_expired) else 0)

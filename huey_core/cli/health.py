"""``huey health``: whether a consumer is healthy, for supervisors."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from huey_core.backends.leased import LeasedQueue
from huey_core.cli.output import echo_json
from huey_core.cli.target import HUEY_URL, json_option, parse_age, queue_option, server_errors, url_argument
from huey_core.exceptions import Unsupported
from huey_core.features.heartbeat import BEATS, consumers_alive, keeps_heartbeats
from huey_core.invoker.opened import OpenedBackends
from huey_core.settings import ConsumerConfig
from huey_core.text import printable

if TYPE_CHECKING:
    from huey_core.backends.base import BaseQueue
    from huey_core.features.heartbeat import ConsumerRecord

__all__ = ["health"]

_DEFAULT_AGE: Final = BEATS * ConsumerConfig.heartbeat


@dataclass(frozen=True, slots=True)
class _Seen:
    """A consumer that has sent a heartbeat, how long ago that was, and what it says is wrong."""

    name: str
    age: float
    max_age: float
    problems: tuple[str, ...] = ()

    @property
    def reason(self) -> str | None:
        """Why it is not healthy; ``None`` if it is."""
        if self.age > self.max_age:
            return f"{self.name} has sent no heartbeat for {self.age:.1f} s, and should within {self.max_age:g} s"
        return f"{self.name}: {'; '.join(self.problems)}" if self.problems else None

    def as_json(self) -> dict[str, Any]:
        """The same as values for JSON."""
        return {
            "consumer": self.name,
            "healthy": self.reason is None,
            "age_seconds": self.age,
            "max_age_seconds": self.max_age,
            "problems": list(self.problems),
        }


@click.command(
    epilog="""
    \b
    Examples:   huey health 'redis://localhost:6379/0?queue=mail'
                huey health --consumer "$(hostname)"
                huey health --file /run/huey/health
    Exit code:  0  healthy
                1  not healthy, which one line says why, or the server cannot be reached
                2  the command line is wrong
    """,
)
@url_argument
@queue_option
@click.option(
    "--consumer",
    metavar="NAME",
    help="Only this consumer, or those of this host (host) or of this process (host:pid).",
)
@click.option("--file", "path", type=click.Path(path_type=Path), help="Look at this health file, and ask no server.")
@click.option(
    "--max-age",
    callback=parse_age,
    metavar="AGE",
    help="The most time since the last heartbeat, for example 30s; by default three heartbeats of that consumer.",
)
@json_option
def health(
    *,
    url: str | None,
    queue_name: str | None,
    consumer: str | None,
    path: Path | None,
    max_age: float | None,
    as_json: bool,
) -> None:
    """Say whether somebody runs the commands of a queue, or whether one consumer is healthy.

    A consumer is healthy if its last heartbeat is recent, and none of its parts has ended or is stuck. Where several
    are looked at, one that is healthy is enough: name the one that you mean with --consumer. The file of --file is the
    one that a consumer touches which has the setting HEALTH_FILE or the option --health-file.
    """
    if path is not None and (consumer is not None or queue_name is not None):
        raise click.UsageError("--file is the file of one consumer: leave out --consumer and --queue")
    # One of the environment is there for all of huey's commands.
    is_given = click.get_current_context().get_parameter_source("url") is ParameterSource.COMMANDLINE
    if path is not None and is_given:
        raise click.UsageError("--file asks no server: leave out the URL")
    if path is not None:
        seen = list(filter(None, [_read_file(path, max_age)]))
        nobody = f"there is no file {path}: no consumer runs with it, or it has not started yet, or is not healthy"
    else:
        if not url:
            raise click.UsageError(f"give a URL such as redis://localhost:6379/0, or set {HUEY_URL}, or use --file")
        seen, nobody = _ask(url, queue_name, consumer, max_age)
    reasons = [one.reason for one in seen]
    reason = None if None in reasons else "; ".join(filter(None, reasons)) or nobody
    if as_json:
        echo_json({"healthy": reason is None, "reason": reason, "consumers": [one.as_json() for one in seen]})
    elif reason is not None:
        click.echo(printable(f"not healthy: {reason}"), err=True)
    else:
        healthy = ", ".join(one.name for one in seen if one.reason is None)
        click.echo(printable(f"healthy: {healthy}"))
    sys.exit(0 if reason is None else 1)


def _read_file(path: Path, max_age: float | None) -> _Seen | None:
    try:
        age, text = time.time() - path.stat().st_mtime, path.read_text()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}") from error
    try:
        facts = json.loads(text)
        name, lifetime = str(facts["consumer"]), BEATS * float(facts["heartbeat"])
    except (ValueError, TypeError, KeyError):
        # It may be read while it is written.
        name, lifetime = str(path), _DEFAULT_AGE
    return _Seen(name, max(age, 0.0), lifetime if max_age is None else max_age)


def _ask(url: str, queue_name: str | None, name: str | None, max_age: float | None) -> tuple[list[_Seen], str]:
    """What consumers have written to the server, and what to say where that is nothing."""
    with closing(OpenedBackends()) as opened:
        backend = opened.at(url)
        with server_errors(backend):
            queue, store = opened.queue(url, queue_name), opened.task_store(url, queue_name)
            if not keeps_heartbeats(store):
                raise Unsupported(
                    f"consumers write no heartbeat to {backend.url}, whose plugin lacks 'ttl' or 'locks'; use --file"
                )
            alive, now = consumers_alive(store), _now(queue)
    whose = f"consumer {name!r} of the queue" if name is not None else "consumer of the queue"
    return (
        [_seen(record, now, max_age) for record in alive if name is None or _is_meant(record.name, name)],
        f"no {whose} {queue.name!r} has a recent heartbeat",
    )


def _seen(record: ConsumerRecord, now: float, max_age: float | None) -> _Seen:
    age = max(now - record.seen, 0.0)
    return _Seen(record.name, age, record.lifetime if max_age is None else max_age, record.problems)


def _is_meant(name: str, given: str) -> bool:
    """Whether a consumer is the one of a name, or is on a host or in a process of that name."""
    return f"{name}:".startswith(f"{given}:")


def _now(queue: BaseQueue) -> float:
    return queue.now() if isinstance(queue, LeasedQueue) else time.time()

"""The producer: sends one command for every file, collects the results, and checks them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from huey_core.backends import Capability

from .app import LEASE, count_file, invoker
from .consumers import kill, running_consumers
from .words import count_words, differences

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from huey_core import AsyncData

PATIENCE: Final = 60.0
"""Seconds to wait for one result before the demo gives up."""


@dataclass
class Totals:
    """What the results add up to."""

    files: int = 0
    words: Counter[str] = field(default_factory=Counter)
    delivered_again: int = 0

    def add(self, result: Any) -> None:
        self.files += 1
        self.words.update(result["words"])
        self.delivered_again += result["deliveries"] > 1


def run(folder: Path, names: Sequence[str]) -> bool:
    """Count the words of the files with two consumers, kill one of them, and say whether the totals are right."""
    _refuse_unsuitable_queue()
    started = time.monotonic()
    totals = Totals()
    try:
        with running_consumers(2) as (survivor, victim):
            handles = invoker.enqueue_many(count_file.command(str(folder), name) for name in names)
            click.echo(f"{len(handles):,} commands sent to the consumers {survivor.pid} and {victim.pid}.")
            third = len(handles) // 3
            _collect(handles[:third], totals, f"Two consumers at work ({third:,} results)")
            kill(victim)
            click.secho(f"Killed consumer {victim.pid} with SIGKILL; its leases end within {LEASE:g} s.", fg="red")
            _collect(handles[third:], totals, f"One consumer at work ({len(handles) - third:,} results)")
    finally:
        # Not invoker.flush(), which leaves a mark for whoever waits for a message: nobody does.
        invoker.queue.flush()
        invoker.close()
    _report(totals, time.monotonic() - started)
    return _is_right(totals, folder, names)


def _refuse_unsuitable_queue() -> None:
    if Capability.PERSISTENT not in invoker.queue.capabilities:
        raise click.UsageError(f"{invoker.queue!r} lives in one process, and this demo needs three")
    if len(invoker.queue):
        raise click.UsageError(f"{invoker.queue!r} is not empty; name another queue in the URL with ?queue=NAME")


def _collect(handles: Sequence[AsyncData[Any]], totals: Totals, label: str) -> None:
    with click.progressbar(handles, label=label) as bar:
        for handle in bar:
            totals.add(handle.get(blocking=True, timeout=PATIENCE, remove=True))


def _report(totals: Totals, seconds: float) -> None:
    click.echo(f"{totals.files:,} files, {totals.words.total():,} words, {len(totals.words):,} of them different.")
    click.echo(f"Delivered twice, because the consumer that was killed held them: {totals.delivered_again:,} commands.")
    click.echo("The ten most frequent words:")
    for word, number in totals.words.most_common(10):
        click.echo(f"  {number:>9,}  {word}")
    click.echo(f"It took {seconds:.1f} s.")


def _is_right(totals: Totals, folder: Path, names: Sequence[str]) -> bool:
    wrong = differences(totals.words, _count_directly(folder, names))
    for line in wrong[:10]:
        click.echo(f"WRONG: {line}", err=True)
    if wrong:
        click.echo(f"The totals differ from a direct count in {len(wrong):,} words.", err=True)
    else:
        click.secho("The totals equal a direct count.", fg="green")
    return not wrong


def _count_directly(folder: Path, names: Sequence[str]) -> Counter[str]:
    words: Counter[str] = Counter()
    for name in names:
        words.update(count_words(folder / name))
    return words

"""The invoker that a command works with: that of a URL, or that of an application, which knows its commands."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from huey_core.cli.target import HUEY_URL, server_errors
from huey_core.commands.registry import CommandRegistry
from huey_core.consumer.child_consumer import load_application
from huey_core.exceptions import ConfigurationError
from huey_core.invoker.invoker import Invoker
from huey_core.secret import hidden

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Target", "opened_target"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a command works with.

    Attributes:
        invoker: The invoker.
        knows_commands: Whether it is an application's, with the commands that this declares.
        utc: Whether its consumers go by UTC; ``False`` for local time.
    """

    invoker: Invoker
    knows_commands: bool
    utc: bool = True


@contextlib.contextmanager
def opened_target(given: str | None, queue_name: str | None) -> Iterator[Target]:
    """Open the invoker of a URL or of an application, and close it at the end.

    What a driver raises is turned into an error of one line.

    Args:
        given: The URL, or the dotted path of a configuration class, of an invoker or of a function that returns one;
            ``None`` for the environment variable HUEY_URL.
        queue_name: The queue, instead of that of the URL or of the invoker.
    """
    given = given or os.environ.get(HUEY_URL)
    if not given:
        raise click.UsageError(
            f"give the application, such as main.Configuration, or a URL such as redis://localhost:6379/0, or set "
            f"{HUEY_URL} to one"
        )
    target = _of_url(hidden(given)) if "://" in given else _of_application(given)
    with contextlib.closing(target.invoker), contextlib.ExitStack() as stack:
        for backend in target.invoker.backends[:1]:
            stack.enter_context(server_errors(backend))
        invoker = target.invoker if queue_name is None else target.invoker.on_queue(queue_name)
        yield Target(invoker, target.knows_commands, target.utc)


def _of_url(url: str) -> Target:
    # Of its own: what others have registered in this process is no application.
    return Target(Invoker.from_url(url, registry=CommandRegistry()), knows_commands=False)


def _of_application(path: str) -> Target:
    if "." not in path:
        raise click.UsageError(f"{path!r} is neither a URL nor a dotted path, such as main.Configuration")
    # As for "python -m", and for huey consumer.
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        invoker = load_application(path, "")
    except ModuleNotFoundError as error:
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise
        raise ConfigurationError(f"there is no module {error.name!r} in {Path.cwd()} or on the path") from error
    return Target(invoker, knows_commands=True, utc=_goes_by_utc(path))


def _goes_by_utc(path: str) -> bool:
    module_name, _, name = path.rpartition(".")
    return getattr(getattr(sys.modules[module_name], name, None), "UTC", True) is not False

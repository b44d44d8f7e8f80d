"""The server and the queue that a command works on."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from huey_core.backends.leased import LeasedQueue
from huey_core.backends.options import parse_seconds
from huey_core.backends.queue_names import check_queue_name
from huey_core.exceptions import ConfigurationError, QueueException, Unsupported
from huey_core.invoker.invoker import Invoker
from huey_core.invoker.opened import OpenedBackends
from huey_core.plugins.backends import open_backend
from huey_core.secret import hidden
from huey_core.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from huey_core.backends.backend import Backend
    from huey_core.backends.base import BaseDataStore, BaseQueue
    from huey_core.backends.capabilities import Capability

__all__ = [
    "HUEY_URL",
    "json_option",
    "lacks",
    "open_invoker",
    "open_leased_queue",
    "opened",
    "parse_age",
    "queue_option",
    "server_errors",
    "split_url",
    "url_argument",
]

F = TypeVar("F", bound="Callable[..., Any]")

HUEY_URL: Final = "HUEY_URL"

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a script.")


def queue_option(function: F) -> F:
    """Give a command the option ``--queue``, which goes before the queue that the URL names."""
    text = "The queue's name, instead of the URL's."
    return click.option("--queue", "queue_name", metavar="NAME", help=text, callback=_check_queue)(function)


def _check_queue(context: click.Context, parameter: click.Parameter, name: str | None) -> str | None:
    if name is not None:
        try:
            check_queue_name("--queue", name)
        except ConfigurationError as error:
            raise click.UsageError(str(error)) from error
    return name


def parse_age(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Read an option that is a time, such as ``30s`` or ``7d``, in seconds."""
    try:
        return None if value is None else parse_seconds(value)
    except ValueError as error:
        raise click.BadParameter(str(error), context, parameter) from None


def url_argument(function: F) -> F:
    """Give a command the argument ``[URL]``, which the environment variable HUEY_URL stands in for."""
    return click.argument("url", required=False, envvar=HUEY_URL, metavar="[URL]", callback=_hide)(function)


def _hide(context: click.Context, parameter: click.Parameter, url: str | None) -> str | None:
    return hidden(url)  # type: ignore[no-any-return]  # as it came


def split_url(words: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """Take an optional URL off the front of a list of ids: an id never contains ``://``."""
    if words and "://" in words[0]:
        return hidden(words[0]), list(words[1:])
    return hidden(os.environ.get(HUEY_URL)), list(words)


@contextlib.contextmanager
def opened(url: str | None) -> Iterator[Backend]:
    """Open the backend of a URL, and close it at the end; without a URL, the command line is wrong."""
    with contextlib.closing(open_backend(_given(url))) as backend:
        yield backend


@contextlib.contextmanager
def open_leased_queue(url: str | None, name: str | None, capability: Capability) -> Iterator[LeasedQueue]:
    """Open a queue, turn what its driver raises into an error of one line, and refuse one that lacks the capability."""
    with opened(url) as backend:
        queue = _able(backend, backend.queue(name or backend.url.options["queue"]), capability)
        with server_errors(backend):
            yield queue


@contextlib.contextmanager
def open_invoker(
    url: str | None, name: str | None, capability: Capability
) -> Iterator[tuple[Invoker[BaseDataStore | None], LeasedQueue]]:
    """Do what :func:`open_leased_queue` does, with an invoker of the queue: of no command, with the URL's results."""
    url = _given(url)
    with contextlib.closing(OpenedBackends()) as backends:
        backend, results = backends.at(url), backends.result_store(url, name)
        queue = _able(backend, backends.queue(url, name), capability)
        with server_errors(backend):
            yield Invoker(queue, results, result_ttl=backend.url.options["result_ttl"]), queue


def _given(url: str | None) -> str:
    if not url:
        raise click.UsageError(f"give a URL such as redis://localhost:6379/0, or set {HUEY_URL}")
    return url


def _able(backend: Backend, queue: BaseQueue, capability: Capability) -> LeasedQueue:
    if capability not in backend.capabilities or not isinstance(queue, LeasedQueue):
        raise lacks(backend, capability)
    return queue


def lacks(backend: Backend, capability: Capability) -> Unsupported:
    """The error that a backend cannot do what a command needs."""
    cls = type(backend)
    return Unsupported(
        f"the plugin of {backend.url.scheme}:// ({cls.__module__}.{cls.__qualname__}) does not declare "
        f"{capability.value!r}, which this command needs; huey info lists what it can do"
    )


@contextlib.contextmanager
def server_errors(backend: Backend) -> Iterator[None]:
    """Turn whatever a driver raises into an error of one line, without the password."""
    try:
        yield
    # Click ends a command by exceptions, and Exit and Abort are RuntimeErrors.
    except (QueueException, click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        reason = backend.url.hide_password(f"{type(error).__name__}: {error}")
        raise click.ClickException(printable(f"{backend.url}: {reason}")) from error

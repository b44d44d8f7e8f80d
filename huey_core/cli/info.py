"""``huey info``: a server and a queue at a glance."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from huey_core.backends.leased import LeasedQueue
from huey_core.cli.output import echo_json, echo_pairs
from huey_core.cli.target import json_option, opened, queue_option, server_errors, url_argument
from huey_core.exceptions import PluginException
from huey_core.plugins.backends import backend_registry

if TYPE_CHECKING:
    from huey_core.backends.backend import Backend
    from huey_core.backends.base import BaseQueue

__all__ = ["info"]


@click.command(
    epilog="""
    \b
    Example:    huey info 'redis://localhost:6379/0?queue=mail'
    Exit code:  0  the server answers
                1  it does not, or there is no usable plugin
                2  the command line is wrong
    """,
)
@url_argument
@queue_option
@json_option
def info(url: str | None, queue_name: str | None, as_json: bool) -> None:
    """Show a server, its plugin and one of its queues.

    That is: which plugin serves the URL and what it can do, what the server says about itself, which of its settings
    endanger messages, the options that the URL takes, and how many messages are ready, scheduled, running and dead.
    The URL's password is not shown.
    """
    with opened(url) as backend:
        queue = backend.queue(queue_name or backend.url.options["queue"])
        facts = _facts(backend, queue)
    if as_json:
        echo_json(facts)
    else:
        _echo(facts, backend)
    sys.exit(0 if facts["reachable"] else 1)


def _facts(backend: Backend, queue: BaseQueue) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "url": str(backend.url),
        "plugin": _plugin(backend),
        "capabilities": sorted(capability.value for capability in backend.capabilities),
        "queue": queue.name,
    }
    try:
        with server_errors(backend):
            backend.ping()
            server = {"server": backend.describe(), "warnings": backend.warnings(), "counts": _counts(queue)}
    except click.ClickException as error:
        return {**facts, "reachable": False, "error": error.message}
    return {**facts, "reachable": True, **server}


def _plugin(backend: Backend) -> str:
    cls = type(backend)
    target = f"{cls.__module__}.{cls.__qualname__}"
    try:
        entry = backend_registry.find(backend.url.scheme)
        is_installed = backend_registry.load(entry) is cls
    except PluginException:
        is_installed = False
    return f"{entry.source} ({target})" if is_installed else target


def _counts(queue: BaseQueue) -> dict[str, Any]:
    return asdict(queue.counts()) if isinstance(queue, LeasedQueue) else {"ready": len(queue)}


def _echo(facts: dict[str, Any], backend: Backend) -> None:
    pairs = [
        ("URL", facts["url"]),
        ("plugin", facts["plugin"]),
        ("can do", ", ".join(facts["capabilities"]) or "nothing beyond a plain queue"),
    ]
    if facts["reachable"]:
        pairs.append(("server", "; ".join(f"{name} {value}" for name, value in facts["server"].items()) or "reachable"))
        pairs += [("warning", warning) for warning in facts["warnings"]]
        counts = dict(facts["counts"])
        paused = ", paused" if counts.pop("paused", False) else ""
        pairs.append((f"queue {facts['queue']}", ", ".join(f"{n} {state}" for state, n in counts.items()) + paused))
    else:
        pairs.append(("server", f"not reachable: {facts['error']}"))
    for option in backend.options:
        default = "" if option.default is None else f" (default: {option.default})"
        pairs.append((f"?{option.name}=", option.help + default))
    echo_pairs(pairs)

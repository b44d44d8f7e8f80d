"""What Django does around a request, done around every command that ``run_huey`` runs.

A command begins with the language ``LANGUAGE_CODE``, the time zone ``TIME_ZONE``, no open database connection and an
empty log of queries, whatever the command before it has left behind, be it a transaction that was never ended. Its
connections are closed when it ends, also when it raised, so an idle consumer holds none.

Connections are closed whatever ``CONN_MAX_AGE`` says: a session that outlives a command carries its settings, locks
and temporary tables into another one, and an idle worker would keep it for as long as it likes. Where connecting is
too slow for that, give the database a pool (``OPTIONS: {"pool": ...}``), which then gets the connection back.

These hooks are the consumer's alone. With ``ALWAYS_EAGER`` a command runs inside a request or a test, whose language
and connections are not its own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from django.db import connections, reset_queries
from django.utils import timezone, translation

from huey_core.hookspecs import hookimpl
from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from huey_core.commands import Execution

__all__ = ["DJANGO_HOOKS", "DjangoHooks", "as_in_a_request", "release_connections"]

log: Final = get_logger(__name__)


@contextmanager
def as_in_a_request() -> Iterator[None]:
    """Give what runs in this block a clean beginning, and leave no connection of this thread open behind it."""
    release_connections()
    reset_queries()
    translation.deactivate()
    timezone.deactivate()
    try:
        yield
    finally:
        release_connections()


def release_connections() -> None:
    """Close every database connection of this thread, also one in the middle of a transaction, which is rolled back."""
    for connection in connections.all(initialized_only=True):
        try:
            connection.close()
        except Exception:
            # What was done over it is committed or lost by now. It must not be done again because of this.
            log.warning("the connection to database %r did not close in order", connection.alias, exc_info=True)
        if connection.in_atomic_block:
            # Somebody entered atomic() and never left it. Django would refuse to connect again.
            del connections[connection.alias]


class DjangoHooks:
    """Runs every command :func:`as_in_a_request`. Registered last of all plugins, so that it is around the others."""

    @hookimpl(wrapper=True, tryfirst=True)
    def huey_execute(self) -> Generator[None, Execution, Execution]:
        with as_in_a_request():
            return (yield)

    @hookimpl(trylast=True)
    def huey_command_succeeded(self) -> None:
        # Other plugins that are told of the end may ask a database, too.
        release_connections()

    huey_command_failed = huey_command_retried = huey_command_buried = huey_command_succeeded
    huey_command_revoked = huey_command_expired = huey_command_cancelled = huey_command_succeeded
    huey_worker_start = huey_worker_stop = huey_command_succeeded
    huey_consumer_start = huey_consumer_heartbeat = huey_consumer_stop = huey_command_succeeded


DJANGO_HOOKS: Final = DjangoHooks()

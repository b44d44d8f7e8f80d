"""Reports a message that a claim has buried, because none of its deliveries had an outcome.

Whoever was running it is gone, so another reports it: to the log, to the plugins, and to who waits for the result. Of
the message itself only the header is decoded. To read the rest may be what has killed its consumers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core import hookspecs
from huey_core.backends.outcomes import Bury, Retry
from huey_core.commands.context import log_fields
from huey_core.commands.stored_result import encode_dropped
from huey_core.exceptions import CommandAbandoned
from huey_core.features.results import leaves_record, result_options, result_write, run_of_message, write_result
from huey_core.message import read_header
from huey_core.safe_logging import get_logger
from huey_core.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.backends.base import BaseDataStore, EmptyDataType
    from huey_core.backends.messages import Delivery, StoredMessage
    from huey_core.backends.outcomes import Outcome, ResultWrite
    from huey_core.invoker.follow_ups import Following
    from huey_core.invoker.invoker import Invoker

__all__ = ["outcome_of_crash", "report_abandoned"]

log: Final = get_logger(__name__)


def report_abandoned(
    invoker: Invoker,
    settles_into: Callable[[BaseDataStore], bool],
    dead_letter: StoredMessage,
    found: bytes | EmptyDataType | None,
) -> None:
    """Report a dead letter that a claim has made to who waits for the command's result, to the log and to the plugins.

    Args:
        invoker: Whose command it was.
        settles_into: Whether the queue writes results into a store together with outcomes.
        dead_letter: The dead letter.
        found: What :func:`~huey_core.features.results.find_result` returned before the dead letter was looked for. A
            result that came later is of a message that was requeued, and stays.

    Raises:
        Exception: The result store could not be read or written; nothing was reported.
    """
    message_id, reason = dead_letter.message_id, dead_letter.reason
    result = _result_of(invoker, dead_letter, CommandAbandoned(reason))
    # Where results are not stored in one step with the ack, one may be there of a run whose consumer was killed before
    # the ack; it is true, and stays.
    if result is not None and (not isinstance(found, bytes) or settles_into(invoker.results)):
        write_result(result, found)
    fields = log_fields(invoker.queue.name, dead_letter)
    message = "message %s of the command %r becomes a dead letter: %s"
    log.error(message, message_id, fields.get("command", ""), reason, extra=fields)
    invoker.plugins.notify(
        hookspecs.huey_command_buried, invoker=invoker, command=None, message_id=message_id, reason=reason
    )


def outcome_of_crash(
    invoker: Invoker,
    delivery: Delivery,
    reason: str,
    max_deliveries: int,
    what_follows: Callable[[Delivery, BaseException], Following],
) -> Outcome:
    """Decide how a delivery ends that has ended what ran it, while this process goes on.

    Nobody waits for its lease: it is retried at once, and stays counted. The last one makes it a dead letter, which is
    reported here, for no claim has buried it.

    Args:
        invoker: Whose command it is.
        delivery: The delivery.
        reason: What has happened, in one line.
        max_deliveries: The number of its last delivery.
        what_follows: Finds out what follows a command that has ended with an error.
    """
    fields = log_fields(invoker.queue.name, delivery)
    message_id, command = delivery.message_id, fields.get("command", "")
    if delivery.attempt < max_deliveries:
        message = "message %s of the command %r has no outcome in delivery %d of %d: %s"
        log.error(message, message_id, command, delivery.attempt, max_deliveries, reason, extra=fields)
        return Retry(delivery, delivery.data, keep_attempts=True)
    deliveries = counted(delivery.attempt, "delivery", "deliveries")
    reason = f"abandoned: no outcome recorded in {deliveries}; in the last one {reason}"
    log.error("message %s of the command %r becomes a dead letter: %s", message_id, command, reason, extra=fields)
    error = CommandAbandoned(reason)
    result = _result_of(invoker, delivery, error)
    invoker.plugins.notify(
        hookspecs.huey_command_buried, invoker=invoker, command=None, message_id=message_id, reason=reason
    )
    return Bury(delivery, reason, "", result, *what_follows(delivery, error))


def _result_of(invoker: Invoker, message: Delivery | StoredMessage, error: CommandAbandoned) -> ResultWrite | None:
    """What tells whoever waits for the command that it was abandoned; ``None`` where it leaves no record."""
    header = read_header(message.data)
    wanted, ttl = result_options(invoker, header)
    if not leaves_record(invoker, wanted, ttl, is_tick=header.tick_at is not None):
        return None
    run = run_of_message(invoker, message)
    value = encode_dropped(invoker.serializer, message.message_id, error, run)
    return result_write(invoker, message.message_id, value, ttl)

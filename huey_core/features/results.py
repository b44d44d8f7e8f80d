"""Results: how a command ended is written to the result store together with its ack, and kept for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core.backends.capabilities import Capability
from huey_core.backends.json_value import swap
from huey_core.backends.outcomes import ResultWrite
from huey_core.commands.context import CURRENT
from huey_core.commands.option_checks import MAX_SECONDS
from huey_core.commands.stored_result import encode_end
from huey_core.exceptions import CommandNotFound, DataStorePutException, QueueException
from huey_core.hookspecs import hookimpl
from huey_core.message import read_header, run_fields

if TYPE_CHECKING:
    from huey_core.backends.base import EmptyDataType
    from huey_core.backends.messages import Delivery, StoredMessage
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.execution import Execution
    from huey_core.hookspecs import InvokerLike
    from huey_core.message import MessageHeader

__all__ = [
    "Results",
    "find_result",
    "leaves_record",
    "result_of",
    "result_options",
    "result_write",
    "run_of_message",
    "write_result",
]

_PEEKABLE: Final = frozenset({Capability.TTL, Capability.LOCKS})
"""Each of these promises that a value can be looked at."""


class Results:
    """Stores values and errors as the invoker and the command are configured, for as long as they say."""

    @hookimpl(trylast=True)
    def huey_store_result(
        self, invoker: InvokerLike, command: QueueCommand, execution: Execution
    ) -> ResultWrite | None:
        return result_of(invoker, command, execution)


def leaves_record(invoker: InvokerLike, wanted: bool | None, ttl: float | None, *, is_tick: bool) -> bool:
    """Whether a record of a command's end is written to the invoker's result store, so that waits for it end.

    Where it would be kept for ever, a command whose result is not wanted leaves nothing: nobody may ever read it. For a
    tick nobody waits, so its result is stored only where that is asked for. ``wanted`` is the command's option
    ``store_result``, and ``ttl`` its ``result_ttl``.
    """
    if invoker.result_store is None or (is_tick and not wanted):
        return False
    if wanted is not False:
        return True
    return invoker.results_expire and (ttl is not None or invoker.result_ttl is not None)


def result_of(invoker: InvokerLike, command: QueueCommand, execution: Execution) -> ResultWrite | None:
    """Make the write of the result of a command that runs, as its options say; ``None`` for nothing.

    Raises:
        EncodeError: Its serializer cannot carry the result.
    """
    store, options = invoker.result_store, command.options
    wanted, ttl = options.store_result, options.result_ttl
    # Of most commands, leaves_record() need not be asked.
    if store is None or (
        (wanted is not None or command.tick_at is not None)
        and not leaves_record(invoker, wanted, ttl, is_tick=command.tick_at is not None)
    ):
        return None
    if ttl is None:
        ttl = invoker.result_ttl
    # Each result comes here, so nothing is named that is used once.
    return ResultWrite(
        store,
        command.task_id,
        encode_end(
            invoker.serializer,
            command.task_id,
            execution,
            wanted,
            invoker.max_body_size,
            run=run_fields(
                command.enqueued_at,
                invoker.now(),
                execution.duration,
                command.retried + CURRENT.get()[1].attempt,
            ),
        ),
        ttl if invoker.results_expire else None,
    )


def result_options(invoker: InvokerLike, header: MessageHeader) -> tuple[bool | None, float | None]:
    """Whether the result of a command is wanted, of which only the message is known, and for how many seconds.

    As the call says, else the command, else ``None``.
    """
    wanted, ttl = None, None
    try:
        options = invoker.registry.get(header.command_name).defaults
    except CommandNotFound:
        pass
    else:
        wanted, ttl = options.store_result, options.result_ttl
    wanted = header.options.get("store_result", wanted)
    ttl = header.options.get("result_ttl", ttl)
    # Anybody may have written the message.
    is_time = isinstance(ttl, int | float) and 0 < ttl <= MAX_SECONDS
    return wanted, float(ttl) if is_time else None


def run_of_message(invoker: InvokerLike, message: Delivery | StoredMessage) -> str:
    """What the header of a result says of the run of a message that was not decoded, and has just ended."""
    header = read_header(message.data)
    return run_fields(header.enqueued_at, invoker.now(), 0.0, header.retried + message.attempt)


def result_write(invoker: InvokerLike, task_id: str, value: bytes, ttl: float | None = None) -> ResultWrite:
    """Make the write of an encoded result for an invoker that has a result store.

    It is kept for ``ttl`` seconds where the store can forget; ``None`` is as long as the invoker says.
    """
    ttl = invoker.result_ttl if ttl is None else ttl
    return ResultWrite(invoker.results, task_id, value, ttl if invoker.results_expire else None)


def find_result(invoker: InvokerLike, message_id: str) -> bytes | EmptyDataType | None:
    """Return what is stored as a command's result; ``None`` where the invoker has no store that could be asked."""
    store = invoker.result_store
    return store.peek(message_id) if store is not None and store.capabilities & _PEEKABLE else None


def write_result(result: ResultWrite, found: bytes | EmptyDataType | None = None) -> bool:
    """Put a result into its store, where the queue cannot do it together with the ack.

    Args:
        result: The result.
        found: What was there at the last look, to be replaced by it only while it is there still. ``None`` replaces
            whatever there is, as does a store without :attr:`Capability.LOCKS`.

    Returns:
        Whether it was written.

    Raises:
        DataStorePutException: The store could not be written.
    """
    store, seconds = result.store, () if result.ttl is None else (result.ttl,)
    try:
        if found is not None and Capability.LOCKS in store.capabilities:
            return swap(store, result.key, found, result.value, *seconds)
        store.put(result.key, result.value, *seconds)
    except QueueException:
        raise
    except Exception as error:
        raise DataStorePutException(f"the result of {result.key} could not be written: {error}") from error
    return True

"""How a command ended, as it is stored: its value, or what is known of its error.

What that is as bytes is :mod:`huey_core.message`'s business, and the serializer's.
"""

from __future__ import annotations

from inspect import CO_GENERATOR
from typing import TYPE_CHECKING, Any, Final

from huey_core.backends.outcomes import MAX_DETAIL
from huey_core.exceptions import (
    CommandAbandoned,
    CommandCancelled,
    CommandDeleted,
    CommandError,
    CommandException,
    CommandExpired,
    CommandRevoked,
    DecodeError,
)
from huey_core.message import encode_result_header, read_result
from huey_core.names import dotted_name
from huey_core.serializers.base import DEFAULT_MAX_BODY_SIZE
from huey_core.text import error_text, error_type, traceback_of, traceback_text
from huey_core.unicode import cut_middle, escape_surrogates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from huey_core.commands.execution import Execution
    from huey_core.serializers.base import Serializer

__all__ = [
    "decode_result",
    "encode_deleted",
    "encode_dropped",
    "encode_end",
    "encode_error",
    "encode_value",
    "format_error",
    "traceback_of_command",
]

_MAX_ERROR_SIZE: Final = 2**20
"""Bytes of an error that are read in any case: it is bounded where it is encoded, and must reach its caller."""

_INTERNAL: Final = frozenset({"huey_core", "pluggy", "asyncio", "concurrent"})

_DELETED: Final = "deleted"

_WITHOUT_RESULT: Final[dict[str, type[CommandException]]] = {
    "revoked": CommandRevoked,
    "expired": CommandExpired,
    "cancelled": CommandCancelled,
    "abandoned": CommandAbandoned,
}


def encode_value(
    serializer: Serializer, task_id: str, value: Any, max_size: int = DEFAULT_MAX_BODY_SIZE, run: str = ""
) -> bytes:
    """Encode what a command returned; ``run`` is what :func:`~huey_core.message.run_fields` has made of its run.

    Raises:
        EncodeError: The serializer cannot carry the value, or it has more than ``max_size`` bytes.
    """
    header = encode_result_header(task_id, "ok", serializer.name, run)
    return header + serializer.encode_within(value, header, max_size)


def encode_end(
    serializer: Serializer,
    task_id: str,
    execution: Execution,
    wanted: bool | None,
    max_size: int,
    *,
    run: str = "",
) -> bytes:
    """Encode how a command ended; where its result is not ``wanted``, no value, and of an error its type alone.

    A value that the serializer cannot carry, or of more than ``max_size`` bytes, is an :class:`EncodeError`. What
    :func:`~huey_core.message.run_fields` has made of its run is ``run``.
    """
    error = execution.error
    if error is None:
        header = encode_result_header(task_id, "ok", serializer.name, run)
        return header + serializer.encode_within(None if wanted is False else execution.value, header, max_size)
    if execution.dropped and isinstance(error, CommandCancelled | CommandExpired | CommandRevoked):
        return encode_dropped(serializer, task_id, error, run)
    if wanted is not False:
        return encode_error(serializer, task_id, error, execution.traceback, run)
    message = "it failed; the error is not stored, because the command has store_result=False"
    details = {"type": _type_name(error), "message": message, "traceback": ""}
    return _encode_details(serializer, task_id, "error", details, run)


def encode_error(
    serializer: Serializer, task_id: str, error: BaseException, traceback: str = "", run: str = ""
) -> bytes:
    """Encode what a command raised: the type's name, the message and the traceback, as texts of bounded length.

    The traceback is given where :func:`format_error` has written it before, and ``run`` is what
    :func:`~huey_core.message.run_fields` has made of its run.
    """
    details = {
        "type": _type_name(error),
        "message": error_text(error),
        "traceback": traceback or format_error(error),
    }
    return _encode_details(serializer, task_id, "error", details, run)


def encode_dropped(
    serializer: Serializer,
    task_id: str,
    error: CommandAbandoned | CommandCancelled | CommandExpired | CommandRevoked,
    run: str = "",
) -> bytes:
    """Encode that a command has no result: it was revoked, had expired, was cancelled, or was delivered too often."""
    state = next(state for state, kind in _WITHOUT_RESULT.items() if isinstance(error, kind))
    return _encode_details(serializer, task_id, state, {"message": error_text(error)}, run)


def encode_deleted(task_id: str, run: str) -> bytes:
    """Encode that the message of a command was deleted.

    It has no body, so whoever deletes messages needs neither the serializer nor its keys.
    """
    return encode_result_header(task_id, _DELETED, "", run)


def traceback_of_command(error: BaseException) -> TracebackType | None:
    """The traceback of an error without the frames between the consumer and the command, which tell nobody anything.

    Those are the frames of core, of pluggy and of the event loop that core makes, the wrappers of hooks through which
    the error came, and what has a local variable ``__tracebackhide__``, as pytest knows it.
    """
    frame = whole = traceback_of(error)
    while frame is not None:
        inner = frame.tb_next if _is_internal(frame) else _inside_wrapper(frame)
        if inner is None:
            break
        frame = inner
    return whole if frame is None or _is_internal(frame) else frame


def _is_internal(frame: TracebackType) -> bool:
    return _package(frame) in _INTERNAL or frame.tb_frame.f_locals.get("__tracebackhide__") is True


def _inside_wrapper(frame: TracebackType) -> TracebackType | None:
    """What a hook's wrapper surrounds, if the frame is one: pluggy has thrown the error into its generator."""
    inner: TracebackType | None = frame
    while inner is not None and inner.tb_frame.f_code.co_flags & CO_GENERATOR:
        inner = inner.tb_next
    return inner if inner is not None and _package(inner) == "pluggy" else None


def _package(frame: TracebackType) -> str:
    return str(frame.tb_frame.f_globals.get("__name__")).partition(".")[0]


def format_error(error: BaseException) -> str:
    """The traceback of an error, and of those that caused it, as text of at most about ``MAX_DETAIL`` characters."""
    return cut_middle(traceback_text(error, traceback_of_command(error)), MAX_DETAIL)


def _type_name(error: BaseException) -> str:
    try:
        return dotted_name(type(error))
    except Exception:  # noqa: BLE001 - a metaclass may answer for its class
        return error_type(error)


def _encode_details(serializer: Serializer, task_id: str, state: str, details: dict[str, str], run: str) -> bytes:
    header = encode_result_header(task_id, state, serializer.name, run)
    texts = {name: escape_surrogates(text) for name, text in details.items()}
    return header + serializer.encode(texts, header)


def decode_result(
    accepted: Mapping[str, Serializer], task_id: str, data: bytes, max_size: int = DEFAULT_MAX_BODY_SIZE
) -> Any:
    """Return the value that is in a stored result, or raise what it stands for.

    Raises:
        CommandError: The command raised.
        CommandRevoked: It was revoked before it ran.
        CommandExpired: It had expired before it ran.
        CommandCancelled: It was cancelled while it ran.
        CommandAbandoned: It was delivered too often without an outcome.
        CommandDeleted: Its message was deleted.
        BodyTooLarge: It has more than ``max_size`` bytes without the serializer's layers.
        DecodeError: The bytes are damaged, belong to another command, or are of a serializer not accepted here.
    """
    header, encoded, body = read_result(data)
    if header.task_id != task_id:
        raise DecodeError(f"the stored result is that of another command, not of {task_id}")
    if header.state == _DELETED:
        raise CommandDeleted(f"{task_id} was deleted from its queue before it had ended")
    serializer = accepted.get(str(header.serializer))
    if serializer is None:
        names = ", ".join(sorted(accepted))
        # Of a failure the reason is in the body, but that it is one is not to be hidden behind this.
        state = header.state
        what = "the result" if state == "ok" else f"the result, which is of the state {state!r},"
        raise DecodeError(
            f"{what} is written with {header.serializer!r} and only {names} is accepted here: the consumer's "
            "invoker is another one than this, and has another serializer"
        )
    state = header.state
    value = serializer.decode_within(body, encoded, max_size if state == "ok" else max(max_size, _MAX_ERROR_SIZE))
    if state == "ok":
        return value
    if not isinstance(value, dict):
        raise DecodeError("the stored result is damaged: its details are missing")
    if state == "error":
        raise CommandError(value.get("type", ""), value.get("message", ""), value.get("traceback", ""))
    kind = _WITHOUT_RESULT.get(str(state))
    if kind is not None:
        error = kind(value.get("message", ""))
        if isinstance(error, CommandCancelled):
            error.task_id = task_id
        raise error
    raise DecodeError(f"the stored result has the unknown state {state!r}")

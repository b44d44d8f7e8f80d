"""Loggers that cannot harm who logs: for core, and for plugins that log where messages are delivered.

A handler, a filter or a record factory of the application may raise whatever it likes: its server is away, its disk is
full. In a consumer that would end a thread, or make an outcome look like a failure. And what is logged may be what
somebody has put into a queue. So these loggers, which use the application's logging as it is set up,

* let nothing through that is raised while a record is handled; what could not be logged goes to standard error;
* write the arguments and the fields of a record, and the texts of exceptions, so that they cannot forge a line or
  steer a terminal;
* give a handler no exception that Python cannot format: the record then has its text alone, without the exception.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from huey_core.text import (
    error_line,
    is_interrupt,
    logged_traceback,
    plain_traceback,
    printable,
    printable_text,
    python_traceback,
    traceback_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    Fields = Mapping[str, object] | None
    Raised = tuple[type[BaseException], BaseException, TracebackType | None]
    ExcInfo = bool | BaseException | Raised | None

__all__ = ["SafeLogger", "get_logger"]


class SafeLogger:
    """What of :class:`logging.Logger` is for logging. No method raises, except what a signal handler raises.

    Every record has the fields in ``extra``, beside what is given with it.
    """

    def __init__(self, logger: logging.Logger, fields: Fields = None) -> None:
        self._logger = logger
        self._fields = fields or {}

    def with_fields(self, **fields: object) -> SafeLogger:
        """The same logger, whose records have these fields beside their own."""
        return SafeLogger(self._logger, {**self._fields, **fields})

    def debug(self, message: str, *args: object, exc_info: ExcInfo = None, extra: Fields = None) -> None:
        """Log what only a developer wants to know."""
        if self._logger.isEnabledFor(logging.DEBUG):
            self._write(logging.DEBUG, message, args, exc_info, extra)

    def info(self, message: str, *args: object, exc_info: ExcInfo = None, extra: Fields = None) -> None:
        """Log what goes well."""
        if self._logger.isEnabledFor(logging.INFO):
            self._write(logging.INFO, message, args, exc_info, extra)

    def warning(self, message: str, *args: object, exc_info: ExcInfo = None, extra: Fields = None) -> None:
        """Log what somebody should look at."""
        if self._logger.isEnabledFor(logging.WARNING):
            self._write(logging.WARNING, message, args, exc_info, extra)

    def error(self, message: str, *args: object, exc_info: ExcInfo = None, extra: Fields = None) -> None:
        """Log what has failed."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._write(logging.ERROR, message, args, exc_info, extra)

    def exception(self, message: str, *args: object, extra: Fields = None) -> None:
        """Log what has failed, with the exception that is being handled."""
        if self._logger.isEnabledFor(logging.ERROR):
            self._write(logging.ERROR, message, args, True, extra)

    def critical(self, message: str, *args: object, exc_info: ExcInfo = None, extra: Fields = None) -> None:
        """Log what should not be possible."""
        if self._logger.isEnabledFor(logging.CRITICAL):
            self._write(logging.CRITICAL, message, args, exc_info, extra)

    def _write(self, level: int, message: str, args: tuple[object, ...], exc_info: ExcInfo, extra: Fields) -> None:
        try:
            fields = {name: _escaped(value) for name, value in {**self._fields, **(extra or {})}.items()}
            self._handle(level, message, tuple(_escaped(arg) for arg in args), _raised(exc_info), fields)
        except BaseException as failure:
            if is_interrupt(failure):
                raise
            _report(self._logger.name, message, args, failure)

    def _handle(
        self, level: int, message: str, args: tuple[object, ...], raised: Raised | None, fields: Fields
    ) -> None:
        text = None
        if raised is not None:
            parts = python_traceback(raised[1], raised[2])
            if parts is None:
                text, raised = printable(plain_traceback(raised[1], raised[2]), keep="\n\t"), None
            elif (text := logged_traceback(parts)) == "".join(parts):
                # Formatters write it in their own ways.
                text = None
        # The caller of info() and the like.
        file, line, function, _ = self._logger.findCaller(stacklevel=4)
        record = self._logger.makeRecord(self._logger.name, level, file, line, message, args, raised, function, fields)
        if text is not None:
            record.exc_text = text.rstrip("\n")
        self._logger.handle(record)


class _Escaped:
    """Stands for an argument of a record that is no text yet."""

    __slots__ = ("_thing",)

    def __init__(self, thing: object) -> None:
        self._thing = thing

    def __str__(self) -> str:
        return printable_text(self._thing)

    def __repr__(self) -> str:
        return printable_text(self._thing, as_repr=True)


def get_logger(name: str) -> SafeLogger:
    """Return the logger of a name, made safe."""
    return SafeLogger(logging.getLogger(name))


def _escaped(arg: object) -> object:
    if type(arg) is str:
        return printable(arg)
    return arg if arg is None or isinstance(arg, int | float) else _Escaped(arg)


def _raised(exc_info: ExcInfo) -> Raised | None:
    if isinstance(exc_info, tuple):
        return exc_info
    error = exc_info if isinstance(exc_info, BaseException) else sys.exception() if exc_info else None
    return None if error is None else (type(error), error, traceback_of(error))


def _report(logger: str, message: str, args: tuple[object, ...], failure: BaseException) -> None:
    """Write to standard error what could not be logged, unless the application has turned off such reports."""
    try:
        if logging.raiseExceptions and sys.stderr is not None:
            text = message % tuple(_escaped(arg) for arg in args)
            sys.stderr.write(f"{logger}: {text} (logging this raised {printable(error_line(failure))})\n")
    except BaseException as error:
        if is_interrupt(error):
            raise

"""Where the consumer's log goes: where the application's own logging says, or else to standard error, or to a file.

Its lines are text, or JSON objects for what collects logs.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from huey_core.consumer.log_file import SharedFileHandler
from huey_core.exceptions import ConfigurationError
from huey_core.safe_logging import get_logger
from huey_core.text import printable_text, traceback_text

if TYPE_CHECKING:
    from huey_core.settings import ConsumerConfig

__all__ = ["JSONFormatter", "logging_set_up", "set_up_logging"]

log: Final = get_logger(__name__)

FORMAT = "%(asctime)s %(levelname)-8s %(process)d %(threadName)s %(name)s: %(message)s"

OURS: Final = "huey_"
"""What the names of the loggers of core and of its plugins begin with."""

_set_up: Final[deque[bool]] = deque(maxlen=1)
"""How :func:`set_up_logging` was called, for other processes that are to log in the same way."""

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""The attributes of every record. Whatever else one has came by ``extra``, or by the application's record factory."""


class JSONFormatter(logging.Formatter):
    """Writes a record as one JSON object on one line.

    Its keys are ``time`` (RFC 3339), ``level``, ``logger``, ``message``, ``process``, ``thread``, then the fields of
    ``extra`` under their own names, and ``exception`` and ``stack`` where there are any. A field whose name is one of
    those keys gets ``extra_`` before it. A value that JSON does not have is written as its ``repr``.

    Args:
        utc: Whether times are in UTC, or in local time.
    """

    def __init__(self, *, utc: bool = True) -> None:
        super().__init__()
        self._zone = UTC if utc else None

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; whatever it holds, this does not raise."""
        when = datetime.fromtimestamp(record.created, UTC).astimezone(self._zone).isoformat(timespec="milliseconds")
        fields: dict[str, object] = {
            "time": when.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "process": record.process,
            "thread": record.threadName,
        }
        if exception := _exception(record):
            fields["exception"] = exception
        if record.stack_info:
            fields["stack"] = record.stack_info
        for name, value in vars(record).items():
            if name not in _STANDARD:
                while name in fields:
                    name = f"extra_{name}"  # noqa: PLW2901
                fields[name] = value
        return "{" + ", ".join(f"{_json(str(name))}: {_json(value)}" for name, value in fields.items()) + "}"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - the arguments are the application's, and may raise anything
        return f"{printable_text(record.msg)} {printable_text(record.args, as_repr=True)}"


def _exception(record: logging.LogRecord) -> str | None:
    # Who logs through SafeLogger has written the text already, so that it forges nothing.
    if record.exc_text or not record.exc_info or record.exc_info[1] is None:
        return record.exc_text
    return traceback_text(record.exc_info[1], record.exc_info[2]).rstrip("\n")


def _json(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False, default=_repr)
    except Exception:  # noqa: BLE001 - a circle, a key that is no text, a number without end, or what a class raises
        return json.dumps(_repr(value))


def _repr(value: object) -> str:
    return printable_text(value, as_repr=True)


def set_up_logging(config: ConsumerConfig, *, level_is_given: bool = True) -> None:
    """Let what the consumer logs be heard, and leave in place what the application has made of logging.

    Handlers that the application has given to the root logger or to ``huey_core`` are enough. Where there are none,
    everything that is logged in this process goes to standard error, and nothing twice. ``LOGFILE`` gets everything in
    any case. Loggers of core and its plugins that are disabled, as ``logging.config`` leaves every logger that it is
    not told of, are enabled.

    Args:
        config: The consumer's settings.
        level_is_given: Whether its level was asked for, and so goes before that of the application.

    Raises:
        ConfigurationError: The log file cannot be written.
    """
    _set_up.append(level_is_given)
    names = _enable_ours()
    root, level = logging.getLogger(), config.loglevel.upper() if isinstance(config.loglevel, str) else config.loglevel
    is_set_up = logging.getLogger("huey_core").hasHandlers()
    if not is_set_up:
        root.setLevel(level)
    elif level_is_given:
        for name in names:
            logging.getLogger(name).setLevel(level)
    if config.logfile is not None or not is_set_up:
        root.addHandler(_make_handler(config))
    elif config.log_format != "text":
        log.warning(
            "the application has log handlers of its own, so LOG_FORMAT = %r changes nothing; give them the formatter "
            "huey_core.consumer.JSONFormatter",
            config.log_format,
        )


def logging_set_up() -> bool | None:
    """What ``level_is_given`` was when :func:`set_up_logging` was called last in this process; ``None`` for never."""
    return _set_up[-1] if _set_up else None


def _enable_ours() -> set[str]:
    """Enable the loggers of core and its plugins, and return the first parts of their names."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith(OURS)]
    for name in names:
        logging.getLogger(name).disabled = False
    return {"huey_core", *(name.partition(".")[0] for name in names)}


def _make_handler(config: ConsumerConfig) -> logging.Handler:
    handler: logging.Handler
    if config.logfile is None:
        handler = logging.StreamHandler()
        handler.addFilter(_is_not_shown_yet)
    else:
        try:
            # What no encoding has, such as a name of a file in another one, is escaped, as on standard error.
            handler = SharedFileHandler(
                config.logfile,
                maxBytes=config.log_max_bytes,
                backupCount=config.log_backups,
                encoding="utf-8",
                errors="backslashreplace",
            )
        except OSError as error:
            raise ConfigurationError(f"LOGFILE cannot be written: {error}") from error
    handler.setFormatter(JSONFormatter(utc=config.utc) if config.log_format == "json" else _text_formatter(config))
    return handler


class _TextFormatter(logging.Formatter):
    """Names the command of a record that has one in its fields and not in its message."""

    default_msec_format = "%s.%03d"

    def formatMessage(self, record: logging.LogRecord) -> str:
        text, fields = super().formatMessage(record), vars(record)
        if "command" not in fields or "task_id" not in fields:
            return text
        command, task_id = printable_text(fields["command"]), printable_text(fields["task_id"])
        return text if task_id in text else f"{text} [{command} {task_id}]"


def _text_formatter(config: ConsumerConfig) -> logging.Formatter:
    formatter = _TextFormatter(FORMAT)
    if config.utc:
        formatter.converter = time.gmtime
    return formatter


def _is_not_shown_yet(record: logging.LogRecord) -> bool:
    """Whether no logger below the root shows a record on a terminal, as Django's own do while ``DEBUG`` is on."""
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None and logger.parent is not None:
        if any(_shows(handler, record) for handler in logger.handlers):
            return False
        logger = logger.parent
    return True


def _shows(handler: logging.Handler, record: logging.LogRecord) -> bool:
    to_terminal = isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler)
    return to_terminal and record.levelno >= handler.level and bool(handler.filter(record))

"""Where the consumer's log goes: where the application's own logging says, or else to standard error, or to a file."""

from __future__ import annotations

import logging
import time
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING, Final

from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from huey_core.consumer.config import ConsumerConfig

__all__ = ["set_up_logging"]

FORMAT = "%(asctime)s %(levelname)-8s %(process)d %(threadName)s %(name)s: %(message)s"

OURS: Final = "huey_"
"""What the names of the loggers of core and of its plugins begin with."""


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
            handler = RotatingFileHandler(
                config.logfile,
                maxBytes=config.log_max_bytes,
                backupCount=config.log_backups,
                encoding="utf-8",
                errors="backslashreplace",
            )
        except OSError as error:
            raise ConfigurationError(f"LOGFILE cannot be written: {error}") from error
    formatter = logging.Formatter(FORMAT)
    formatter.default_msec_format = "%s.%03d"
    if config.utc:
        formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    return handler


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

"""Where the consumer's log goes: standard error, or a file that is rotated."""

from __future__ import annotations

import logging
import time
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING

from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from huey_core.consumer.config import ConsumerConfig

__all__ = ["set_up_logging"]

FORMAT = "%(asctime)s %(levelname)-8s %(process)d %(threadName)s %(name)s: %(message)s"


def set_up_logging(config: ConsumerConfig) -> logging.Handler:
    """Let everything that is logged in this process go where the settings say, at the level they say.

    A handler that the application has set up for the root logger by itself is left in place.

    Raises:
        ConfigurationError: The log file cannot be written.
    """
    handler: logging.Handler
    if config.logfile is None:
        handler = logging.StreamHandler()
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
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(config.loglevel.upper() if isinstance(config.loglevel, str) else config.loglevel)
    return handler

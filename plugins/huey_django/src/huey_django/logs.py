"""Where the log of ``run_huey`` goes: where the project's ``LOGGING`` says, or else to standard error."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from huey_core.consumer.logs import set_up_logging

if TYPE_CHECKING:
    from huey_core.consumer.config import ConsumerConfig

__all__ = ["set_up_logs"]


def set_up_logs(config: ConsumerConfig, *, level_is_given: bool) -> None:
    """Set up logging, beside what Django has made of ``LOGGING``.

    ``LOGFILE`` gets everything that is logged in this process. Without it, handlers that ``LOGGING`` gives to the root
    logger or to ``huey_core`` are enough; where there are none, everything goes to standard error, and nothing twice.

    Args:
        config: The consumer's settings.
        level_is_given: Whether its level was asked for, and so goes before what ``LOGGING`` says.

    Raises:
        ConfigurationError: The log file cannot be written.
    """
    if config.logfile is None and logging.getLogger("huey_core").hasHandlers():
        if level_is_given:
            for name in ("huey_core", "huey_django"):
                logging.getLogger(name).setLevel(_level(config))
        return
    handler = set_up_logging(config)
    if config.logfile is None:
        handler.addFilter(_is_not_shown_yet)


def _level(config: ConsumerConfig) -> int | str:
    return config.loglevel.upper() if isinstance(config.loglevel, str) else config.loglevel


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

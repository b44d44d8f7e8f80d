"""Where a consumer's log goes, beside what the application has made of logging."""

from __future__ import annotations

import io
import logging
import logging.config
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from huey_core.consumer.config import ConsumerConfig
from huey_core.consumer.logs import set_up_logging
from huey_core.exceptions import ConfigurationError

log = logging.getLogger("huey_core.consumer")


@contextmanager
def fresh_logging() -> Iterator[None]:
    """Logging as it is in a process that has not set it up, and has none of pytest's handlers either."""
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in root.manager.loggerDict)]
    before = [(one, one.level, one.disabled, one.handlers) for one in loggers]
    root.handlers, root.level = [], logging.WARNING
    try:
        yield
    finally:
        for handler in root.handlers:
            handler.close()
        for logger, level, disabled, handlers in before:
            logger.disabled, logger.handlers = disabled, handlers
            logger.setLevel(level)


def basic_config() -> io.StringIO:
    """Set logging up as an application does, and return what its handler shows."""
    stream = io.StringIO()
    logging.basicConfig(stream=stream, format="app: %(message)s", level=logging.INFO)
    return stream


def dict_config(**settings: Any) -> io.StringIO:
    """The same by a dictionary, which disables every logger that it is not told of."""
    stream = io.StringIO()
    handlers = {"h": {"class": "logging.StreamHandler", "stream": stream}}
    logging.config.dictConfig({"version": 1, "handlers": handlers, "root": {"handlers": ["h"]}, **settings})
    return stream


@fresh_logging()
def test_without_handlers_of_the_application_the_log_goes_to_standard_error(capsys):
    set_up_logging(ConsumerConfig())

    log.info("ready")

    assert capsys.readouterr().err.endswith("huey_core.consumer: ready\n")


@fresh_logging()
def test_handlers_of_the_application_are_enough(capsys):
    shown = basic_config()
    set_up_logging(ConsumerConfig(), level_is_given=False)

    log.info("ready")

    assert (shown.getvalue(), capsys.readouterr().err) == ("app: ready\n", "")


@fresh_logging()
def test_what_a_logger_of_the_application_shows_is_not_shown_twice(capsys):
    logger = logging.getLogger("shop")
    logger.addHandler(logging.StreamHandler())
    set_up_logging(ConsumerConfig())

    logger.warning("sold out")
    logger.handlers.clear()

    assert capsys.readouterr().err == "sold out\n"


@fresh_logging()
def test_the_level_of_the_application_is_left_alone():
    shown = basic_config()
    set_up_logging(ConsumerConfig(loglevel="DEBUG"), level_is_given=False)

    log.debug("one claimed")

    assert shown.getvalue() == ""


@fresh_logging()
def test_a_level_that_is_asked_for_goes_before_that_of_the_application():
    shown = basic_config()
    set_up_logging(ConsumerConfig(loglevel="DEBUG"))

    log.debug("one claimed")

    assert shown.getvalue() == "app: one claimed\n"


@fresh_logging()
def test_loggers_that_the_configuration_of_others_has_disabled_are_heard():
    shown = dict_config()
    set_up_logging(ConsumerConfig(), level_is_given=False)

    log.error("a command failed")

    assert shown.getvalue() == "a command failed\n"


@fresh_logging()
def test_a_logger_that_the_application_silences_stays_silent():
    shown = dict_config(loggers={"huey_core": {"level": "CRITICAL"}})
    set_up_logging(ConsumerConfig(), level_is_given=False)

    log.error("a command failed")

    assert shown.getvalue() == ""


@fresh_logging()
def test_the_log_file_gets_what_handlers_of_the_application_show(tmp_path):
    shown = basic_config()
    set_up_logging(ConsumerConfig(logfile=str(tmp_path / "huey.log")), level_is_given=False)

    log.info("ready")

    assert shown.getvalue() == "app: ready\n"
    assert (tmp_path / "huey.log").read_text().endswith(": ready\n")


@fresh_logging()
def test_the_log_file_is_rotated(tmp_path):
    logfile = tmp_path / "huey.log"
    set_up_logging(ConsumerConfig(logfile=str(logfile), log_max_bytes=2000, log_backups=2))

    for number in range(100):
        log.info("line %d", number)

    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["huey.log", "huey.log.1", "huey.log.2"]
    assert "line 99" in logfile.read_text()


@fresh_logging()
def test_the_log_file_takes_what_no_encoding_has(tmp_path, capsys):
    logfile = tmp_path / "huey.log"
    set_up_logging(ConsumerConfig(logfile=str(logfile)))

    log.warning("the file %s is missing", "caf\udce9 é")

    assert logfile.read_text("utf-8").endswith("the file caf\\udce9 é is missing\n")
    assert capsys.readouterr().err == ""


@fresh_logging()
def test_a_log_file_that_cannot_be_written_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigurationError, match="LOGFILE"):
        set_up_logging(ConsumerConfig(logfile=str(tmp_path / "no-such-folder" / "huey.log")))

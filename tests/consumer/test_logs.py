"""Where a consumer's log goes, beside what the application has made of logging."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from huey_core import queue_command
from huey_core.backends.messages import Delivery
from huey_core.consumer import Consumer, ConsumerConfig, JSONFormatter
from huey_core.consumer.logs import set_up_logging
from huey_core.exceptions import CommandException, ConfigurationError
from huey_core.invoker.runner import CommandRunner

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
def test_a_line_of_text_names_its_command_once(capsys):
    set_up_logging(ConsumerConfig())

    log.info("reading", extra={"command": "main.add", "task_id": "3b\n1f"})
    log.info("message 5a has no body", extra={"command": "main.add", "task_id": "5a"})

    first, second = capsys.readouterr().err.splitlines()
    assert (first[-25:], second[-7:]) == ("reading [main.add 3b\\n1f]", "no body")


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


class Speechless:
    def __repr__(self):
        raise OSError


def logged_as_json(**record: Any) -> dict[str, Any]:
    """What a record becomes, as whoever collects the log reads it."""
    line = JSONFormatter().format(logging.makeLogRecord({"name": "shop", "msg": "sold", "created": 1.5, **record}))
    assert "\n" not in line
    return json.loads(line)


def test_a_line_of_json_has_the_time_in_rfc_3339_and_the_fields_of_its_record():
    logged = logged_as_json(msg="%d sold", args=(2,), levelname="INFO", beans=3, process=7, threadName="main")

    assert logged == {
        "time": "1970-01-01T00:00:01.500Z",
        "level": "INFO",
        "logger": "shop",
        "message": "2 sold",
        "process": 7,
        "thread": "main",
        "beans": 3,
    }


def test_a_line_of_json_can_have_local_time():
    line = JSONFormatter(utc=False).format(logging.makeLogRecord({"created": 1.5}))

    assert datetime.fromisoformat(json.loads(line)["time"]).timestamp() == 1.5


def test_a_field_of_the_application_is_kept_beside_the_key_of_its_name():
    logged = logged_as_json(level="high", extra_level="higher", time="late")

    assert (logged["extra_level"], logged["extra_extra_level"], logged["extra_time"]) == ("high", "higher", "late")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Path("a"), "PosixPath('a')"),
        ({"at": Path("a")}, {"at": "PosixPath('a')"}),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (float("nan"), "nan"),
        (Speechless(), "<Speechless without a text, because that raised OSError>"),
    ],
    ids=["object", "object inside", "key", "nan", "speechless"],
)
def test_a_value_that_json_does_not_have_is_its_repr(value, written):
    assert logged_as_json(value=value)["value"] == written


def test_a_circle_is_no_error():
    circle: list[Any] = []
    circle.append(circle)

    assert logged_as_json(value=circle)["value"] == "[[...]]"


def test_arguments_that_do_not_fit_the_message_are_no_error():
    assert logged_as_json(msg="%d sold", args=("none",))["message"] == "%d sold ('none',)"


def test_an_exception_is_a_text_in_the_object():
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        logged = logged_as_json(exc_info=(type(error), error, error.__traceback__))

    assert logged["exception"].startswith("Traceback (most recent call last):\n")
    assert logged["exception"].endswith("ValueError: two\nlines")


@fresh_logging()
def test_the_log_is_json_where_that_is_asked_for(capsys):
    set_up_logging(ConsumerConfig(log_format="json"))

    log.info("ready", extra={"queue": "mail"})

    [line] = capsys.readouterr().err.splitlines()
    logged = json.loads(line)
    assert (logged["message"], logged["logger"], logged["queue"]) == ("ready", "huey_core.consumer", "mail")


@fresh_logging()
def test_a_format_that_handlers_of_the_application_do_not_follow_is_warned_of():
    shown = basic_config()

    set_up_logging(ConsumerConfig(log_format="json"), level_is_given=False)

    assert "LOG_FORMAT = 'json' changes nothing" in shown.getvalue()


class TestFields:
    @pytest.fixture
    def end(self, invoker, run_consumer, caplog):
        """Run a command to its end, and return the records of that level that have its fields."""

        def end(call: Any, level: str, **settings: Any) -> list[Any]:
            caplog.set_level("INFO")
            run_consumer(invoker, threads=1, **settings)
            with suppress(CommandException):
                call.get(blocking=True, timeout=30)
            return [one for one in caplog.records if one.levelname == level and hasattr(one, "task_id")]

        return end

    def test_each_command_that_ended_is_one_line_where_that_is_asked_for(self, invoker, add, end):
        call = add(1, 2)

        [line] = end(call, "INFO", log_commands=True)

        assert "succeeded after" in line.getMessage()
        assert (line.task_id, line.command[-4:], line.queue) == (call.task_id, ".add", invoker.queue.name)
        assert (line.delivery_count, type(line.duration)) == (1, float)

    def test_for_a_command_that_succeeded_the_log_is_not_even_asked_otherwise(self, invoker, add, monkeypatch):
        monkeypatch.setattr("huey_core.invoker.run_log.log", None)
        message = invoker.codec.encode(add.command(1, 2))

        _, execution = CommandRunner(invoker).run(Delivery(message, "id", "receipt", 1))

        assert execution.value == 3

    def test_a_command_that_failed_is_one_line_beside_its_error(self, invoker, end, caplog):
        @queue_command(invoker)
        def fail():
            raise LookupError

        [line] = end(fail(), "INFO", log_commands=True)

        assert "failed after" in line.getMessage()
        [error] = [one for one in caplog.records if one.levelname == "ERROR"]
        assert (error.task_id, error.duration >= 0) == (line.task_id, True)

    def test_each_line_of_a_consumers_life_has_the_queue(self, invoker, caplog):
        caplog.set_level("INFO", "huey_core.consumer")
        with Consumer(invoker).running():
            pass

        words = {record.getMessage().rpartition(": ")[2] for record in caplog.records}
        assert {"ready", "0 commands running"} <= words
        assert {record.queue for record in caplog.records} == {invoker.queue.name}

    def test_a_command_that_was_revoked_is_one_line_in_any_case(self, add, end):
        call = add(1, 2)
        call.revoke()

        [line] = end(call, "INFO", log_commands=True)

        assert "was revoked" in line.getMessage()
        assert (line.task_id, hasattr(line, "duration")) == (call.task_id, False)

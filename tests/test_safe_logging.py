"""Logging harms nobody who logs, and what is logged forges nothing."""

from __future__ import annotations

import itertools
import logging
import threading
import traceback
from importlib.util import find_spec
from pathlib import Path

import pytest

from huey_core.safe_logging import get_logger

_names = itertools.count(1)


class Collector(logging.Handler):
    """Keeps what a formatter writes."""

    def __init__(self, formatter=None):
        super().__init__()
        self.setFormatter(formatter or logging.Formatter("%(levelname)s: %(message)s"))
        self.texts = []
        self.records = []

    def emit(self, record):
        self.records.append(record)
        self.texts.append(self.format(record))


@pytest.fixture
def logger():
    """A logger of the standard library that no other test uses, and that hands nothing on."""
    logger = logging.getLogger(f"tests.safe_logging.{next(_names)}")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    return logger


@pytest.fixture
def handler(logger):
    handler = Collector()
    logger.addHandler(handler)
    return handler


@pytest.fixture
def log(logger):
    return get_logger(logger.name)


def failing(error):
    def fail(*args, **kwargs):
        raise error

    return fail


@pytest.fixture(params=["handler", "filter of the handler", "filter of the logger", "record factory"])
def break_logging(request, logger, handler, monkeypatch):
    """Let something in the application's logging raise."""

    def break_logging(error):
        if request.param == "handler":
            monkeypatch.setattr(handler, "emit", failing(error))
        elif request.param == "filter of the handler":
            handler.addFilter(failing(error))
        elif request.param == "filter of the logger":
            logger.addFilter(failing(error))
        else:
            monkeypatch.setattr(logging, "_logRecordFactory", failing(error))

    return break_logging


def test_what_raises_in_logging_does_not_reach_who_logs_and_the_text_goes_to_standard_error(log, break_logging, capsys):
    break_logging(ConnectionError("the log server is away"))

    log.error("message %s failed", "a")

    [line] = capsys.readouterr().err.splitlines()
    assert "message a failed" in line
    assert "ConnectionError: the log server is away" in line


def test_not_even_an_exit_reaches_a_thread_that_logs(log, handler, monkeypatch):
    monkeypatch.setattr(handler, "emit", failing(SystemExit))
    went_on = []

    def work():
        log.error("failed")
        went_on.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert went_on


def test_an_interrupt_by_the_user_is_not_kept_from_the_main_thread(log, handler, monkeypatch):
    monkeypatch.setattr(handler, "emit", failing(KeyboardInterrupt))

    with pytest.raises(KeyboardInterrupt):
        log.error("failed")


@pytest.mark.parametrize("stderr", [None, "closed"])
def test_standard_error_may_be_missing_or_broken(log, handler, monkeypatch, stderr, tmp_path):
    file = (tmp_path / "stderr").open("w")
    file.close()
    monkeypatch.setattr(handler, "emit", failing(ConnectionError))
    monkeypatch.setattr("sys.stderr", file if stderr else None)

    log.error("failed")


def test_an_application_that_wants_no_reports_of_broken_handlers_gets_none(log, handler, monkeypatch, capsys):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    monkeypatch.setattr(handler, "emit", failing(ConnectionError))

    log.error("failed")

    assert not capsys.readouterr().err


@pytest.mark.parametrize("message", ["%s failed", "%r failed", "%.200s failed", "%.200r failed"])
@pytest.mark.parametrize("wrap", [str, ValueError, lambda text: type("Thing", (), {"__repr__": lambda self: text})()])
def test_no_argument_can_forge_a_line_or_steer_a_terminal(log, handler, message, wrap):
    log.warning(message, wrap("a>\nCRITICAL: forged \x1b[31m"))

    [text] = handler.texts
    assert text.isprintable()


def test_numbers_and_nothing_are_arguments_as_they_are(log, handler):
    log.info("%d %.1f %s %s", 1, 2.5, None, "words")

    assert handler.texts == ["INFO: 1 2.5 None words"]


def test_an_argument_without_a_text_is_named_by_its_type(log, handler):
    class Speechless:
        __str__ = failing(RuntimeError)

    log.info("%s failed", Speechless())

    assert handler.texts == ["INFO: <Speechless without a text, because that raised RuntimeError> failed"]


def test_no_field_can_forge_a_line_or_steer_a_terminal(log, handler):
    log.warning("failed", extra={"task_id": "a\n\x1b[31m", "delivery_count": 2, "error": ValueError("a\nb")})

    record = handler.records[0]
    assert (record.task_id, record.delivery_count, str(record.error)) == ("a\\n\\x1b[31m", 2, "a\\nb")


def test_a_field_that_no_record_can_have_is_told_on_standard_error(log, handler, capsys):
    log.warning("failed", extra={"message": "mine"})  # noqa: G101 - what is to be seen

    assert "failed (logging this raised KeyError" in capsys.readouterr().err


def test_a_record_names_the_line_that_logs(log, handler):
    log.info("here")

    assert (handler.records[0].filename, handler.records[0].funcName) == (
        "test_safe_logging.py",
        "test_a_record_names_the_line_that_logs",
    )


def test_a_level_that_is_not_wanted_is_not_logged(log, logger, handler):
    logger.setLevel(logging.WARNING)

    for write in (log.debug, log.info, log.warning, log.error, log.critical, log.exception):
        write("said")

    assert [record.levelname for record in handler.records] == ["WARNING", "ERROR", "CRITICAL", "ERROR"]


def test_an_exception_goes_to_the_handlers_as_it_is(log, handler):
    error = ValueError("no rules")

    log.error("failed", exc_info=error)
    try:
        raise error
    except ValueError:
        log.exception("failed again")

    assert [record.exc_info[1] for record in handler.records] == [error, error]
    assert [record.exc_text.splitlines()[-1] for record in handler.records] == ["ValueError: no rules"] * 2


def test_an_exception_that_python_cannot_format_is_logged_all_the_same(log, handler):
    log.error("failed", exc_info=SyntaxError("bad rule", ("rules.txt", 1, 2, b"text")))

    assert handler.texts == ["ERROR: failed\nSyntaxError: bad rule (rules.txt, line 1)"]


def test_the_text_of_an_exception_cannot_steer_a_terminal_and_the_handlers_have_the_exception(log, handler):
    error = ValueError("red \x1b[31m")

    log.error("failed", exc_info=error)

    assert handler.texts == ["ERROR: failed\nValueError: red \\x1b[31m"]
    assert handler.records[0].exc_info[1] is error


FORGED = "\nCRITICAL: forged\n\nCRITICAL: forged"


def with_note():
    error = ValueError("noted")
    error.add_note("Traceback (most recent call last):" + FORGED)
    return error


def with_cause():
    error = ValueError("caused" + FORGED)
    error.__cause__ = with_note()
    return error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("said" + FORGED),
        with_note(),
        with_cause(),
        ExceptionGroup("some" + FORGED, [ValueError("one" + FORGED)]),
        SyntaxError("bad" + FORGED, ("rules.txt", 1, 2, "text" + FORGED)),
        SyntaxError("bad" + FORGED, ("rules.txt", 1, 2, b"text")),
    ],
)
def test_the_text_of_an_exception_cannot_forge_a_line(log, handler, error):
    log.error("failed", exc_info=error)

    [text] = handler.texts
    assert "forged" in text
    assert not any(line.startswith("CRITICAL") for line in text.splitlines())


def test_an_exception_and_its_cause_are_written_as_python_writes_them_but_for_the_lines_of_their_texts(log, handler):
    error = ValueError("caused\nhere")
    error.__cause__ = OSError("first\nthere")

    log.error("failed", exc_info=error)

    python = "".join(traceback.format_exception(error)).rstrip()
    assert handler.records[0].exc_text == python.replace("\nhere", "\n    here").replace("\nthere", "\n    there")


def test_of_a_long_text_of_an_exception_the_middle_is_left_out(log, handler):
    log.error("failed", exc_info=ValueError("insert failed: " + "x" * 1_000_000 + " is no number"))

    [text] = handler.texts
    assert len(text) < 10_000
    assert "insert failed: " in text
    assert text.endswith(" is no number")


PLUGINS = ("django", "memory", "mongo", "msgpack", "redis", "sqlite", "zstd")


def test_core_and_its_plugins_log_in_no_other_way():
    specs = [find_spec("huey_core"), *(find_spec(f"huey_{name}") for name in PLUGINS)]
    files = [path for spec in specs if spec is not None for path in Path(spec.origin).parent.rglob("*.py")]

    texts = {path: path.read_text() for path in files if path.name != "safe_logging.py"}

    bare = [path.name for path, text in texts.items() if "= logging.getLogger(" in text and path.name != "logs.py"]
    elsewhere = [
        path.name for path, text in texts.items() if "= get_logger(" in text.replace("= get_logger(__name__)", "")
    ]

    assert (bare, elsewhere) == ([], [])

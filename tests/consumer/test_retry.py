"""Pauses after errors, and what is logged about them."""

from __future__ import annotations

import logging
import threading

import pytest

from huey_core.consumer.retry import BackOff, Outage, Pauses


def make_back_off(outage):
    return BackOff(outage, "claiming", Pauses(1.0, 2.0, 10.0), lambda low, high: high)


@pytest.fixture
def back_off():
    return make_back_off(Outage("the queue", logging.getLogger("test")))


def test_pauses_grow_up_to_the_longest(back_off):
    pauses = [back_off.failed(OSError()) for _ in range(6)]

    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_pauses_start_anew_after_a_success(back_off):
    back_off.failed(OSError())
    back_off.failed(OSError())
    back_off.over()

    assert back_off.failed(OSError()) == 1.0


def test_pauses_are_spread_by_chance():
    outage = Outage("the queue", logging.getLogger("test"))
    back_off = BackOff(outage, "claiming", Pauses(1.0, 1.15, 10.0))

    assert len({back_off.failed(OSError()) for _ in range(5)}) == 5


def test_a_thousand_failures_do_not_overflow(back_off):
    assert {back_off.failed(OSError()) for _ in range(1000)} >= {10.0}


def test_a_handler_of_the_log_that_takes_long_holds_up_only_who_logs():
    logging_it, go_on = threading.Event(), threading.Event()

    class Slow(logging.Handler):
        def emit(self, record):
            logging_it.set()
            go_on.wait(30)

    logger = logging.getLogger("test.slow")
    logger.addHandler(Slow())
    outage = Outage("the queue", logger)
    first, second = make_back_off(outage), make_back_off(outage)
    logs = threading.Thread(target=first.failed, args=(OSError(),))
    logs.start()
    logging_it.wait(30)

    other = threading.Thread(target=second.failed, args=(OSError(),))
    other.start()
    other.join(30)

    assert not other.is_alive()
    go_on.set()
    logs.join()


def test_each_change_of_state_is_logged_once(back_off, caplog):
    caplog.set_level(logging.INFO)

    for _ in range(3):
        back_off.failed(OSError("the cable is out"))
    back_off.over()
    back_off.over()

    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert "the cable is out" in caplog.text
    assert "3 tries" in caplog.text


class CategorisedError(Exception):
    """As of a driver whose errors say a category in their ``repr``, and the reason in their text alone."""

    def __repr__(self):
        return "network:CategorisedError"


def test_the_log_says_why_also_when_the_repr_of_an_error_does_not(back_off, caplog):
    back_off.failed(CategorisedError("connection refused\nby the host"))

    assert caplog.messages == ["the queue is unavailable (claiming), retrying: CategorisedError: connection refused"]


def test_an_outage_that_several_threads_see_is_logged_once(caplog):
    caplog.set_level(logging.INFO)
    outage = Outage("the queue", logging.getLogger("test"))
    claiming, settling = make_back_off(outage), make_back_off(outage)

    claiming.failed(OSError("the cable is out"))
    settling.failed(OSError("the cable is out"))
    settling.over()
    settling.failed(OSError("the cable is out"))
    claiming.over()
    settling.over()

    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


def test_a_new_outage_is_timed_from_its_own_beginning(caplog):
    caplog.set_level(logging.INFO)
    now = 0.0
    back_off = make_back_off(Outage("the queue", logging.getLogger("test"), lambda: now))

    for began, ended in ((0.0, 1.0), (100.0, 103.0)):
        now = began
        back_off.failed(OSError())
        now = ended
        back_off.over()

    assert "after 1.0 s and 1 try" in caplog.messages[1]
    assert "after 3.0 s and 1 try" in caplog.messages[3]


def test_a_late_failure_is_not_another_outage(caplog):
    caplog.set_level(logging.INFO)
    now = 0.0
    outage = Outage("the queue", logging.getLogger("test"), lambda: now)
    claiming, settling = make_back_off(outage), make_back_off(outage)
    claiming.failed(OSError())
    claiming.over()

    now = 1.0
    settling.failed(OSError("of a call that was made before"))
    settling.over()

    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


def test_an_outage_soon_after_another_one_is_logged_when_it_goes_on(caplog):
    caplog.set_level(logging.INFO)
    now = 0.0
    back_off = make_back_off(Outage("the queue", logging.getLogger("test"), lambda: now))
    back_off.failed(OSError())
    back_off.over()

    for seconds in (1.0, 2.0, 10.0, 11.0):
        now = seconds
        back_off.failed(OSError())
    back_off.over()

    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO", "ERROR", "INFO"]

"""A signal to end is obeyed at whatever moment of a restart it comes."""

from __future__ import annotations

import logging
import os
import signal

import pytest

from huey_core.consumer import Consumer
from huey_core.consumer.signals import run_until_signalled


@pytest.fixture
def signal_at(caplog):
    """Send this process a signal at the moment at which the consumer logs a text, be it of its queue."""
    caplog.set_level(logging.INFO, "huey_core.consumer")
    logger = logging.getLogger("huey_core.consumer")
    at: dict[str, int] = {}

    class Sender(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            number = at.pop(record.getMessage().rpartition(": ")[2], None)
            if number is not None:
                os.kill(os.getpid(), number)

    sender = Sender()
    logger.addHandler(sender)
    yield at.__setitem__
    logger.removeHandler(sender)


def test_a_hangup_starts_the_program_again(invoker, signal_at):
    signal_at("ready", signal.SIGHUP)
    restarts = []

    code = run_until_signalled(Consumer(invoker, periodic=False), restart=lambda: restarts.append("once"))

    assert (code, restarts) == (0, ["once"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_end_just_before_the_restart_is_obeyed(invoker, signal_at, number):
    signal_at("ready", signal.SIGHUP)
    signal_at("starting again", number)
    restarts = []

    code = run_until_signalled(Consumer(invoker, periodic=False), restart=lambda: restarts.append("once"))

    assert (code, restarts) == (0, [])


def test_a_second_hangup_just_before_the_restart_changes_nothing(invoker, signal_at):
    signal_at("ready", signal.SIGHUP)
    signal_at("starting again", signal.SIGHUP)
    restarts = []

    run_until_signalled(Consumer(invoker, periodic=False), restart=lambda: restarts.append("once"))

    assert restarts == ["once"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_swallows_a_signal_to_end_while_the_program_is_replaced(invoker, signal_at, number):
    signal_at("ready", signal.SIGHUP)
    handlers = []

    run_until_signalled(Consumer(invoker, periodic=False), restart=lambda: handlers.append(signal.getsignal(number)))

    assert handlers == [signal.SIG_DFL]


def test_the_handlers_of_the_program_are_its_own_again_afterwards(invoker, signal_at):
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    signal_at("ready", signal.SIGHUP)

    run_until_signalled(Consumer(invoker, periodic=False), restart=lambda: None)

    assert {number: signal.getsignal(number) for number in before} == before

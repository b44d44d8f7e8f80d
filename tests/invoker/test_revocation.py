"""Revoking calls and commands."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from huey_core import QueueCommand, queue_command
from huey_core.exceptions import CommandRevoked, ConfigurationError, Unsupported
from huey_core.invoker.revocation import Revocations


@pytest.fixture
def double(invoker):
    @queue_command(invoker)
    def double(num):
        return 2 * num

    return double


def test_a_revoked_call_does_not_run(invoker, double, run_consumer):
    revoked, other = double(1), double(2)
    revoked.revoke()
    run_consumer(invoker)

    assert other.get(blocking=True, timeout=10) == 4
    with pytest.raises(CommandRevoked):
        revoked.get(blocking=True, timeout=10)


def test_a_revoked_call_can_be_restored(invoker, double, run_consumer):
    result = double(1)
    result.revoke()

    assert result.is_revoked()
    assert result.restore()
    assert not result.is_revoked()
    run_consumer(invoker)
    assert result.get(blocking=True, timeout=10) == 2


def test_a_call_can_be_revoked_before_it_is_enqueued(invoker, double, run_consumer):
    command = double.command(1)
    command.revoke()
    run_consumer(invoker)

    with pytest.raises(CommandRevoked):
        invoker.enqueue(command).get(blocking=True, timeout=10)
    assert not command.is_revoked()
    assert not command.restore()


def test_a_command_without_an_invoker_says_what_it_needs():
    with pytest.raises(ConfigurationError, match="before it is enqueued"):
        QueueCommand().revoke()


def test_restoring_what_was_not_revoked_changes_nothing(double):
    assert not double(1).restore()


def test_a_revocation_of_a_call_is_used_up_by_it(invoker, double, run_consumer, eventually):
    result = double(1)
    result.revoke()
    run_consumer(invoker)

    eventually(lambda: not result.is_revoked())
    eventually(lambda: not invoker.revocations.any())


def test_a_revoked_command_does_not_run_until_it_is_restored(invoker, double, run_consumer):
    double.revoke()
    revoked = double(1)
    run_consumer(invoker)
    with pytest.raises(CommandRevoked):
        revoked.get(blocking=True, timeout=10)

    assert double.restore()

    assert double(2).get(blocking=True, timeout=10) == 4


def test_a_command_can_be_revoked_for_one_call(invoker, double, run_consumer):
    double.revoke(revoke_once=True)
    first, second = double(1), double(2)
    run_consumer(invoker, threads=1)

    with pytest.raises(CommandRevoked):
        first.get(blocking=True, timeout=10)
    assert second.get(blocking=True, timeout=10) == 4


def test_a_command_can_be_revoked_until_a_time(double):
    double.revoke(revoke_until=datetime.now() + timedelta(hours=1))

    assert double.is_revoked()
    assert double.is_revoked(datetime.now() + timedelta(minutes=59))
    assert not double.is_revoked(datetime.now() + timedelta(minutes=61))


def test_a_revocation_whose_time_is_over_is_forgotten(invoker, double):
    double.revoke(revoke_until=datetime.now() + timedelta(hours=1))
    revocations = Revocations(invoker.task_store)

    held = revocations.take(double.command(1), now=invoker.now() + 7200)

    assert not held
    assert not revocations.any()


def test_revoking_twice_counts_once(invoker, double):
    double.revoke()
    double.revoke()
    double.restore()

    assert not invoker.revocations.any()


def test_revoking_without_a_task_store_is_a_clear_error(invoker, double):
    invoker.task_store = None

    with pytest.raises(Unsupported, match="task store"):
        double.revoke()

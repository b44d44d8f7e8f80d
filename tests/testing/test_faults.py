"""The server fails when a test wants it to."""

from __future__ import annotations

import pytest

from huey_core import queue_command as command
from huey_core.exceptions import (
    CommandRevoked,
    QueueWriteException,
)


class PowerCut(KeyboardInterrupt):
    """Ends a process, and is no error of the command."""


def test_a_write_fails_once(rehearsal, send):
    rehearsal.faults.fail_next("write")

    with pytest.raises(QueueWriteException):
        send("ann")
    rehearsal.recorder.assert_not_enqueued(send)
    send("ann")

    assert len(rehearsal.run_until_idle()) == 1


def test_a_reply_is_lost_after_the_write(rehearsal, invoker, send):
    call = send.command("ann")
    rehearsal.faults.fail_next("write", after=True)

    with pytest.raises(QueueWriteException):
        invoker.enqueue(call)
    invoker.enqueue(call)

    assert len(rehearsal.run_until_idle()) == 1


def test_the_exception_and_the_count_can_be_chosen(rehearsal, send):
    rehearsal.faults.fail_next("write", times=2, error=TimeoutError("slow"))

    for _ in range(2):
        with pytest.raises(QueueWriteException, match="slow"):
            send("ann")
    send("ann")


@pytest.mark.parametrize("method", ["claim", "settle"])
def test_a_consumer_tries_again(rehearsal, send, method):
    result = send("ann")
    rehearsal.faults.fail_next(method, times=3)

    runs = rehearsal.run_until_idle()

    assert result.get() == "hello, ann"
    assert len(runs) == 1


def test_a_fault_of_a_look_is_left_to_the_application_when_a_claim_buries(rehearsal, invoker, given_up):
    rehearsal.faults.fail_next("find")
    rehearsal.run_until_idle()

    with pytest.raises(ConnectionError):
        invoker.queue.find([given_up.task_id])


def test_a_server_that_stays_away_ends_the_run(rehearsal, send):
    send("ann")
    rehearsal.faults.fail_next("claim", times=1000)

    with pytest.raises(ConnectionError, match=r"fail_next\('claim'\)"):
        rehearsal.run_until_idle()


def test_a_lease_that_is_not_renewed_is_lost(rehearsal, invoker):
    runs_so_far = []

    @command(invoker)
    def slow():
        runs_so_far.append(1)
        if len(runs_so_far) == 1:
            rehearsal.faults.fail_next("extend", times=3)
            rehearsal.clock.advance(invoker.lease)
            invoker.queue.claim(1, 10)

    slow()
    (lost,) = rehearsal.run_until_idle()
    assert not lost.settled
    rehearsal.clock.advance(10)

    assert [run.settled for run in rehearsal.run_until_idle()] == [True]


def test_the_methods_of_each_store_fail_by_themselves(rehearsal, send):
    result = send("ann")
    rehearsal.run_until_idle()
    rehearsal.faults.fail_next("results.peek", error=OSError)

    assert not result.is_revoked()
    with pytest.raises(Exception, match="could not be read"):
        result.get()
    assert result.get() == "hello, ann"


def test_no_command_runs_before_it_is_known_whether_any_was_revoked(rehearsal, send):
    result = send("ann")
    result.revoke()
    rehearsal.faults.fail_next("state.peek", times=3)

    rehearsal.run_until_idle()

    with pytest.raises(CommandRevoked):
        result.get()


def test_a_method_that_does_not_exist_is_refused(rehearsal):
    with pytest.raises(ValueError, match=r"'setle'.*settle"):
        rehearsal.faults.fail_next("setle")

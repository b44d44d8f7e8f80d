"""What was enqueued can be asked for, and asserted."""

from __future__ import annotations

from functools import wraps
from unittest.mock import ANY

import pytest

from huey_core import QueueCommand
from huey_core import queue_command as command


class SendLetter(QueueCommand):
    def execute(self):
        return self.data


def test_a_call_is_found_however_its_arguments_are_passed(rehearsal, send):
    send("ann", text="bye")

    found = rehearsal.recorder.assert_enqueued(send, to="ann", text="bye")

    assert found.data[1] == {"text": "bye"}


def test_defaults_count_as_arguments(rehearsal, send):
    send("ann")

    rehearsal.recorder.assert_enqueued(send, "ann", "hello")


def test_any_call_is_found_without_arguments(rehearsal, send):
    send("ann")

    rehearsal.recorder.assert_enqueued(send)
    rehearsal.recorder.assert_enqueued(send, ANY)


def test_a_command_stands_for_itself(rehearsal, invoker, send):
    send("ann")
    invoker.enqueue(SendLetter({"to": "ann"}))

    rehearsal.recorder.assert_enqueued(send.command("ann"))
    rehearsal.recorder.assert_enqueued(SendLetter)
    rehearsal.recorder.assert_enqueued(SendLetter({"to": "ann"}))
    rehearsal.recorder.assert_not_enqueued(SendLetter({"to": "bob"}))


def test_a_failure_shows_what_was_enqueued_instead(rehearsal, invoker, send):
    name = send.command_class.command_name
    send("bob")
    send.schedule(["ann"], delay=3600)
    invoker.enqueue(SendLetter("x"))

    with pytest.raises(AssertionError) as failure:
        rehearsal.recorder.assert_enqueued(send, "ann", within=60)

    assert str(failure.value).splitlines() == [
        f"{name}('ann') was not enqueued to run within 60 s; what was enqueued:",
        f"  {name}('bob')",
        f"  {name}('ann'), due after 3600 s",
        f"  {SendLetter.command_name}('x')",
    ]


def test_a_call_that_does_not_fit_its_function_is_another_call(rehearsal, invoker, send):
    invoker.check_arguments = False
    send("ann", nonsense=True)

    rehearsal.recorder.assert_not_enqueued(send, "ann")
    rehearsal.recorder.assert_enqueued(send)


def test_a_call_of_a_wrapper_that_fills_in_arguments_is_found(rehearsal, invoker):
    def post(connection, to): ...

    wrapper = command(invoker)(wraps(post)(lambda *args: post("connection", *args)))
    wrapper("ann")

    rehearsal.recorder.assert_enqueued(wrapper, "ann")
    rehearsal.recorder.assert_not_enqueued(wrapper, "bob")


def test_a_call_with_any_name_for_an_argument_is_found(rehearsal, invoker):
    link = command(invoker)(lambda **relations: None)
    link(self="ann", what="bob")

    rehearsal.recorder.assert_enqueued(link, self="ann", what="bob")


def test_a_message_that_cannot_be_read_is_left_out(rehearsal, invoker):
    invoker.queue.write(b"garbage")

    assert rehearsal.recorder.commands == []


def test_a_failure_says_that_nothing_was_enqueued(rehearsal, send):
    with pytest.raises(AssertionError, match=r"send was not enqueued; nothing was enqueued$"):
        rehearsal.recorder.assert_enqueued(send)


def test_a_call_that_should_not_be_there_is_shown(rehearsal, send):
    send("ann")

    with pytest.raises(AssertionError, match=r"send\('ann'\) was enqueued"):
        rehearsal.recorder.assert_not_enqueued(send, "ann")


def test_within_counts_from_the_call(rehearsal, send):
    send.schedule(["ann"], delay=60)
    rehearsal.clock.advance(600)

    rehearsal.recorder.assert_enqueued(send, "ann", within=60)
    rehearsal.recorder.assert_not_enqueued(send, "ann", within=59)


def test_arguments_that_do_not_fit_the_function_are_an_error_of_the_test(rehearsal, send):
    send("ann")

    with pytest.raises(TypeError):
        rehearsal.recorder.assert_enqueued(send, wrong="name")


def test_a_command_takes_no_arguments_beside_it(rehearsal, send):
    with pytest.raises(TypeError, match="has its data already"):
        rehearsal.recorder.assert_enqueued(send.command("ann"), "ann")


@pytest.mark.parametrize("what", ["send_mail", print, int])
def test_what_is_no_command_is_not_looked_for(rehearsal, what):
    with pytest.raises(TypeError, match="look for a decorated function"):
        rehearsal.recorder.assert_not_enqueued(what, "ann")


def test_a_duplicate_is_not_recorded(rehearsal, send):
    unique = send.using(unique_key="{to}")
    unique("ann")
    unique("ann")

    assert len(rehearsal.recorder.commands) == 1


def test_what_was_enqueued_can_be_forgotten(rehearsal, send):
    send("ann")

    rehearsal.recorder.clear()

    rehearsal.recorder.assert_not_enqueued(send)
    assert len(rehearsal.run_until_idle()) == 1

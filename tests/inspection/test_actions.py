"""Messages are requeued and deleted by the state in which somebody has seen them."""

from __future__ import annotations

import itertools
from contextlib import closing

import pytest

from huey_core.backends.messages import Message, State
from huey_core.backends.outcomes import Bury
from huey_core.exceptions import ConfigurationError
from huey_core.inspection.actions import act, dead_ids, delete, retry
from huey_memory import MemoryQueue
from plain_backend import PlainQueue
from wire import pack

_spaces = itertools.count()


@pytest.fixture
def queue(clock):
    with closing(MemoryQueue("mail", space=f"inspection{next(_spaces)}", clock=clock)) as queue:
        yield queue


def bury(queue, *ids, data=b"x", **fields):
    queue.write_many([Message(data, each, **fields) for each in ids])
    queue.settle([Bury(delivery, "no") for delivery in queue.claim(len(ids), 60.0).deliveries])


def ids(messages):
    return [message.message_id for message in messages]


def test_of_a_queue_whose_messages_cannot_be_found_none_can_be_deleted(make_invoker):
    invoker = make_invoker()
    with (
        invoker.replaced(PlainQueue("plain"), invoker.results),
        pytest.raises(ConfigurationError, match="'plain'> has no messages that can be found"),
    ):
        next(delete(invoker, ["x"], State.READY))


def test_the_dead_are_named_with_the_last_buried_first(queue, clock):
    bury(queue, "one")
    clock.advance(1)
    bury(queue, "two")
    queue.write(b"x", message_id="alive")

    assert dead_ids(queue) == ["two", "one"]


def test_the_dead_until_a_time_are_those_that_were_buried_then_or_earlier(queue, clock):
    bury(queue, "one")
    seen = queue.now()
    clock.advance(1)
    bury(queue, "two")

    assert dead_ids(queue, seen) == ["one"]
    assert dead_ids(queue, seen - 1) == []


def test_more_are_named_than_one_look_shows(queue):
    many = [f"message-{number}" for number in range(1203)]
    bury(queue, *many)

    assert sorted(dead_ids(queue)) == sorted(many)


def test_large_messages_are_looked_at_in_smaller_portions(queue, monkeypatch):
    bury(queue, *map(str, range(100)), data=bytes(2**20))
    portions = []
    for name in ("peek", "find"):
        monkeypatch.setattr(queue, name, counting(getattr(queue, name), portions))

    for _ in retry(queue, dead_ids(queue)):
        pass

    assert queue.counts().ready == 100
    assert max(portions) <= 32


def counting(look, portions):
    def counted(*arguments):
        found = look(*arguments)
        portions.append(len(found))
        return found

    return counted


def test_it_is_done_to_what_is_as_it_was_seen_and_the_rest_is_left_alone(queue):
    bury(queue, "dead", "unseen")
    queue.write(b"x", message_id="alive")

    [part] = act(queue, ["alive", "absent", "dead"], State.DEAD, queue.delete)

    assert (ids(part.done), ids(part.refused)) == (["dead"], [])
    assert part.moved == {"alive": State.READY, "absent": None}
    assert (dead_ids(queue), queue.counts().ready) == (["unseen"], 1)


def test_what_it_was_done_to_is_shown_as_it_was_before(queue):
    bury(queue, "dead")

    [part] = act(queue, ["dead"], State.DEAD, queue.requeue)

    assert [(message.state, message.reason) for message in part.done] == [(State.DEAD, "no")]
    assert queue.counts().ready == 1


def test_what_the_queue_refuses_is_said_to_be_refused(queue):
    bury(queue, "first", unique_key="the one")
    queue.write(b"x", message_id="second", unique_key="the one")

    [part] = act(queue, ["first"], State.DEAD, queue.requeue)

    assert (ids(part.done), ids(part.refused), part.moved) == ([], ["first"], {})


def test_an_id_that_is_named_twice_counts_once(queue):
    bury(queue, "dead")

    [part] = act(queue, ["dead", "dead"], State.DEAD, queue.delete)

    assert ids(part.done) == ["dead"]


def test_the_queue_is_not_asked_to_act_on_nothing(queue):
    asked = []

    parts = list(act(queue, ["absent"], State.DEAD, asked.append))

    assert (asked, [part.moved for part in parts]) == ([], [{"absent": None}])


def test_many_are_taken_in_portions_so_that_what_was_done_before_an_error_is_known(queue):
    many = [f"message-{number}" for number in range(1203)]
    bury(queue, *many)
    parts = act(queue, many, State.DEAD, queue.delete)

    first = next(parts)

    assert 0 < len(first.done) < len(many)
    assert queue.counts().dead == len(many) - len(first.done)
    assert len(first.done) + sum(len(part.done) for part in parts) == len(many)


def until(seconds):
    """A message that expires at a time."""
    return pack({"id": "any", "cmd": "mail.send", "ser": "json", "exp": seconds}, b"[[],{}]")


def test_what_is_retried_runs_again_unless_it_has_expired(queue, clock):
    bury(queue, "fresh", data=until(queue.now() + 60))
    bury(queue, "stale", data=until(queue.now() + 1))
    bury(queue, "timeless", "garbage")
    clock.advance(2)

    [part] = retry(queue, ["fresh", "stale", "timeless", "garbage", "absent"])

    assert (ids(part.done), ids(part.expired)) == (["fresh", "timeless", "garbage"], ["stale"])
    assert (part.refused, part.moved) == ([], {"absent": None})
    assert (dead_ids(queue), queue.counts().ready) == (["stale"], 3)


def test_what_is_retried_may_be_asked_for_by_another_state(queue):
    queue.write(b"x", message_id="later", eta=queue.now() + 60)
    bury(queue, "dead")

    [part] = retry(queue, ["later", "dead"], State.SCHEDULED)

    assert (ids(part.done), part.moved) == (["later"], {"dead": State.DEAD})


def test_deleting_does_not_ask_whether_a_message_has_expired(queue, clock):
    bury(queue, "stale", data=until(queue.now() - 1))

    [part] = act(queue, ["stale"], State.DEAD, queue.delete)

    assert (ids(part.done), part.expired) == (["stale"], [])

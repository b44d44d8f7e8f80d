"""A stored message is read as facts, and nothing of it is run."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core import CommandRegistry, Invoker, QueueCommand, queue_command
from huey_core.backends.messages import State, StoredMessage
from huey_core.exceptions import BodyTooLarge
from huey_core.inspection.messages import Arguments, MessageFacts
from huey_core.serializers.base import Serializer, WrappingSerializer
from huey_core.serializers.json import JSONSerializer
from huey_core.serializers.signed import SignedSerializer
from wire import pack

LIMIT = 1024


def facts_of(data):
    return MessageFacts.read(StoredMessage("1", data, State.DEAD, reason="ValueError: no", detail="Traceback"))


def message(body=b"[[], {}]", **fields):
    return pack({"id": "1", "cmd": "mail.send", "ser": "json", "at": 1.0, **fields}, body)


def test_the_header_is_read_and_the_body_left_alone():
    facts = facts_of(message(b"\xff", prio=3))

    assert (facts.command, facts.header.priority, facts.body, facts.problem) == ("mail.send", 3, b"\xff", "")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x80\x04garbage", "the bytes are not a message of this format"),
        (b"HUEY/9 {}\n", "the message has format version 9; this version reads 1"),
    ],
)
def test_what_cannot_be_read_says_why(invoker, data, problem):
    facts = facts_of(data)

    assert (facts.problem, facts.command, facts.header.fields) == (problem, "", {})
    assert facts.arguments(invoker, LIMIT) == Arguments(hidden=problem)


def test_why_it_is_dead_is_with_the_message():
    facts = facts_of(message())

    assert (facts.stored.reason, facts.stored.detail) == ("ValueError: no", "Traceback")


@pytest.mark.parametrize(
    ("fields", "has_expired"),
    [({"exp": 99.5}, True), ({"exp": 100}, False), ({"exp": 101.0}, False), ({}, False), ({"exp": "soon"}, False)],
)
def test_a_message_has_expired_when_a_consumer_would_drop_it(fields, has_expired):
    assert facts_of(message(**fields)).has_expired(100.0) is has_expired


def test_what_cannot_be_read_has_not_expired():
    assert facts_of(b"garbage").has_expired(100.0) is False


def test_the_arguments_of_a_function_are_shown_as_one_would_write_them(invoker):
    facts = facts_of(message(b'[["anna", 2], {"copies": [1]}]'))

    assert facts.arguments(invoker, LIMIT) == Arguments(("'anna'", "2", "copies=[1]"))


def test_the_data_of_a_command_that_is_no_function_is_shown_as_it_is(invoker):
    class Send(QueueCommand, declare=False):
        command_name = "mail.send"

    invoker.registry.register(Send)

    assert facts_of(message(b"[[1], {}]")).arguments(invoker, LIMIT) == Arguments(("[[1], {}]",))
    assert facts_of(message(b"null")).arguments(invoker, LIMIT) == Arguments()


def test_arguments_cannot_steer_a_terminal(invoker):
    facts = facts_of(message(b'[[], {"\\u001b[2J": "\\u202e"}]'))

    assert facts.arguments(invoker, LIMIT) == Arguments(("\\x1b[2J='\\u202e'",))


@pytest.mark.parametrize(
    ("data", "hidden"),
    [
        (message(ser="msgpack"), "written with the serializer 'msgpack', which is not accepted here"),
        (message(ser=["json"]), "the header's field 'ser' is of the wrong type"),
        (message(b"x" * (LIMIT + 1)), "1,025 bytes, too long to be shown here"),
        (message(b"{"), "cannot be read: "),
        (message(b'{"$": "tuple"}'), "cannot be read: "),
    ],
)
def test_arguments_that_are_not_shown_say_why(invoker, data, hidden):
    arguments = facts_of(data).arguments(invoker, LIMIT)

    assert arguments.hidden.startswith(hidden)
    assert arguments.texts == ()


class Wishful(Serializer):
    """One of somebody else that does what the bytes say."""

    name = "wishful"
    runs_code = True
    has_run = False

    def encode(self, value, context=b""):
        return JSONSerializer().encode(value)

    def decode(self, data, context=b""):
        type(self).has_run = True
        return JSONSerializer().decode(data)


class Zip(WrappingSerializer):
    suffix = "zip"

    def wrap(self, body, context):
        return zlib.compress(body)

    def unwrap(self, data, context, max_size):
        unpacking = zlib.decompressobj()
        body = unpacking.decompress(data, max_size)
        if not unpacking.eof:
            raise BodyTooLarge(max_size)
        return body


def written_with(serializer):
    """The facts of a message of an invoker with a serializer, and the invoker."""
    invoker = Invoker("memory://", serializer=serializer, registry=CommandRegistry())
    send = queue_command(invoker, name="mail.send")(lambda to: None)
    return facts_of(invoker.codec.encode(send.command("anna"))), invoker


@pytest.mark.parametrize("serializer", [Wishful(), Zip(Wishful())], ids=lambda each: each.name)
def test_a_body_is_not_decoded_by_a_serializer_that_runs_what_it_carries(serializer):
    Wishful.has_run = False
    facts, invoker = written_with(serializer)

    hidden = facts.arguments(invoker, LIMIT).hidden

    assert hidden == f"written with {serializer.name!r}, which nothing signs; to read it would run whatever it carries"
    assert not Wishful.has_run


def test_it_is_decoded_when_it_is_signed():
    facts, invoker = written_with(SignedSerializer(Wishful(), keys=["the key of these tests"]))

    assert facts.arguments(invoker, LIMIT) == Arguments(("'anna'",))


def test_a_small_body_that_unpacks_to_a_large_one_is_not_unpacked():
    facts, invoker = written_with(Zip(JSONSerializer()))
    bomb = replace(facts, body=zlib.compress(bytes(100 * LIMIT)))

    assert len(bomb.body) < LIMIT
    assert bomb.arguments(invoker, LIMIT) == Arguments(hidden="more than 1,024 bytes, too long to be shown here")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=6,
)
HEADERS = st.dictionaries(st.sampled_from(["id", "cmd", "ser", "at", "hdr"]), st.just("json") | JSON)
READER = Invoker("memory://", registry=CommandRegistry())


@given(st.binary() | st.builds(pack, HEADERS, st.binary() | st.just(b'[["a"], {"b": 1}]')))
def test_no_message_makes_it_raise(data):
    facts = facts_of(data)
    arguments = facts.arguments(READER, LIMIT)

    assert all(text.isprintable() for text in [arguments.hidden, *arguments.texts])
    assert isinstance(facts.command, str)

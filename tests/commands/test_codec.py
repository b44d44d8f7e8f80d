"""Commands become messages and come back the same; what cannot come back says why."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core import CommandRegistry, QueueCommand
from huey_core.commands.codec import CommandCodec
from huey_core.commands.function_command import FunctionCommand
from huey_core.exceptions import BodyTooLarge, CommandNotFound, DecodeError, EncodeError, SerializationError
from huey_core.message import encode_header, unpack
from huey_core.serializers.json import JSONSerializer
from huey_core.serializers.pickle import PickleSerializer
from huey_core.serializers.signed import SignedSerializer


class Note(QueueCommand, declare=False):
    command_name = "tests.note"


class OriginalNote(QueueCommand, declare=False):
    """With the constructor that commands of the original API have."""

    command_name = "tests.original_note"

    def __init__(self, data=None, task_id=None, execute_time=None, retries=0, retry_delay=0):
        super().__init__(data, task_id, execute_time, retries, retry_delay)


class Call(FunctionCommand, declare=False):
    command_name = "tests.call"


@pytest.fixture
def codec() -> CommandCodec:
    return codec_for(JSONSerializer(), [JSONSerializer()])


def codec_for(serializer, accept) -> CommandCodec:
    registry = CommandRegistry()
    registry.register(Note)
    registry.register(OriginalNote)
    registry.register(Call)
    return CommandCodec(registry, serializer, accept, clock=lambda: 1000.0)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(
    data=values,
    eta=st.none() | st.floats(0, 1e10),
    retries=st.integers(0, 100),
    priority=st.integers(-1000, 1000),
    headers=st.dictionaries(st.text(), st.text()),
)
def test_a_command_comes_back_as_it_was(data, eta, retries, priority, headers):
    codec = codec_for(JSONSerializer(), [JSONSerializer()])
    command = Note(data, eta=eta, overrides={"retries": retries, "priority": priority}, headers=headers)

    back = codec.decode(codec.encode(command))

    assert (back.data, back.task_id, back.eta, back.retries) == (data, command.task_id, eta, retries)
    assert back.headers == headers
    assert back.enqueued_at == 1000.0


def test_encoding_changes_nothing_about_the_command(codec):
    command = Note("x", overrides={"expires": 10})
    before = dict(vars(command))

    codec.encode(command)

    assert vars(command) == before


def test_options_of_one_call_travel_with_it(codec):
    command = Note(overrides={"retry_delay": 7, "retry_on": [OSError], "result_ttl": 60, "keep_failed": False})

    options = codec.decode(codec.encode(command)).options

    assert (options.retry_delay, options.result_ttl, options.keep_failed) == (7.0, 60.0, False)
    assert options.may_retry(TimeoutError())
    assert not options.may_retry(ValueError())


def test_a_command_with_the_constructor_of_the_original_api_comes_back(codec):
    moment = datetime(2030, 1, 2, tzinfo=UTC)
    command = OriginalNote("beans", None, moment, 3, 10)
    command.retries = 2

    back = codec.decode(codec.encode(command))

    assert (back.data, back.task_id, back.eta) == ("beans", command.task_id, moment.timestamp())
    assert (back.retries, back.options.retry_delay) == (2, 10.0)


def test_options_of_the_class_stay_in_the_code(codec):
    header, _, _ = unpack(codec.encode(Note()))

    assert "opts" not in header


def test_the_expiry_is_counted_from_the_time_at_which_it_could_start(codec):
    command = Note(eta=5000.0, overrides={"expires": 10})

    assert codec.decode(codec.encode(command)).expires_at == 5010.0


def test_what_a_later_version_put_into_the_header_survives_a_retry(codec):
    data = codec.encode(Note("x"))
    header, _, body = unpack(data)
    command = codec.decode(encode_header({**header, "from_the_future": [1]}) + body)

    again, _, _ = unpack(codec.encode(command))

    assert again["from_the_future"] == [1]


def test_a_call_of_a_function_is_written_again_with_the_arguments_that_it_came_with(codec):
    message = codec.encode(Call((([1, 2],), {"seen": {}})))
    command = codec.decode(message)

    (numbers,), kwargs = command.data
    numbers.clear(), kwargs["seen"].update(x=1), kwargs.update(more=object())

    assert unpack(codec.encode(command))[2] == unpack(message)[2]


def test_a_call_whose_data_were_replaced_is_written_again_with_the_new_ones(codec):
    command = codec.decode(codec.encode(Call(((1,), {}))))

    command.set_data(((2,), {}))

    assert codec.decode(codec.encode(command)).data == ([2], {})


def test_a_command_that_was_written_as_a_class_is_written_again_as_it_has_become(codec):
    command = codec.decode(codec.encode(Note({"done": []})))

    command.data["done"].append("a")

    assert codec.decode(codec.encode(command)).data == {"done": ["a"]}


def test_the_arguments_of_a_signed_call_are_signed_anew_with_the_new_header():
    signed = SignedSerializer(JSONSerializer(), keys=["a key of sufficient length"])
    codec = codec_for(signed, [signed])
    command = codec.decode(codec.encode(Call((([1, 2],), {}))))

    command.data[0][0].clear()

    again = codec.decode(codec.encode_retry(command))
    assert (again.data, again.retried) == (([[1, 2]], {}), 1)


def test_a_retry_has_one_retry_less_left_and_writing_it_changes_nothing_in_the_command(codec):
    command = codec.decode(codec.encode(Call(((1,), {}), overrides={"retries": 2})))
    before = dict(vars(command))

    again = codec.decode(codec.encode_retry(command))

    assert vars(command) == before
    assert (again.retries, again.retried) == (1, 1)
    assert codec.decode(codec.encode_retry(Call(((), {})))).retries == 0


def test_a_call_is_written_again_with_the_serializer_of_the_writer(codec):
    message = codec_for(PickleSerializer(), [PickleSerializer()]).encode(Call(((1,), {})))
    both = codec_for(JSONSerializer(), [JSONSerializer(), PickleSerializer()])

    header, _, body = unpack(both.encode(both.decode(message)))

    assert (header["ser"], body) == ("json", b"[[1],{}]")


def test_arguments_that_cannot_be_read_a_second_time_cannot_be_written_again():
    class Forgetful(JSONSerializer):
        reads = 0

        def decode(self, data, context=b""):
            self.reads += 1
            if self.reads > 1:
                raise DecodeError("forgotten")
            return super().decode(data, context)

    codec = codec_for(JSONSerializer(), [Forgetful()])
    command = codec.decode(codec.encode(Call(((1,), {}))))

    with pytest.raises(EncodeError, match="a second time: forgotten"):
        codec.encode(command)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (Call(((1, [object()]), {})), r"^args\[1\] of tests\.call: json cannot .* found at value\[0\]$"),
        (Call(((1,), {"to": object()})), r"^kwargs\['to'\] of tests\.call: json cannot .* found at value$"),
        (Call(((1,), {"\ud800": 1})), r"^the arguments of tests\.call: json cannot "),
        (Note({"to": object()}), r"^the data of tests\.note: json cannot .* found at value\['to'\]$"),
    ],
)
def test_what_cannot_be_carried_is_named_with_its_command(codec, command, message):
    with pytest.raises(EncodeError, match=message):
        codec.encode(command)


def test_a_message_cannot_choose_a_serializer_that_is_not_accepted(codec):
    message = codec_for(PickleSerializer(), [PickleSerializer()]).encode(Note("x"))

    with pytest.raises(DecodeError, match="'pickle' and only json is accepted"):
        codec.decode(message)


def test_an_unknown_command_is_named(codec):
    header = encode_header({"id": "1", "cmd": "tests.gone", "ser": "json"})

    with pytest.raises(CommandNotFound, match=r"tests\.gone"):
        codec.decode(header + b"null")


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"id": 5}, "id"),
        ({"cmd": None}, "cmd"),
        ({"ser": []}, "ser"),
        ({"eta": "soon"}, "eta"),
        ({"retries": "3"}, "retries"),
        ({"opts": [1]}, "opts"),
        ({"opts": {"retries": "many"}}, "retries"),
        ({"hdr": "x"}, "hdr"),
        # No server takes it as the name of a result.
        ({"id": "\ud800"}, "'id'"),
    ],
)
def test_a_header_field_that_cannot_be_used_is_named(codec, fields, named):
    header = {"id": "1", "cmd": "tests.note", "ser": "json", **fields}

    with pytest.raises(DecodeError, match=named):
        codec.decode(encode_header(header) + b"null")


@pytest.mark.parametrize("field", ["id", "cmd", "ser"])
def test_a_missing_header_field_is_named(codec, field):
    header = {"id": "1", "cmd": "tests.note", "ser": "json"}
    del header[field]

    with pytest.raises(DecodeError, match=field):
        codec.decode(encode_header(header) + b"null")


@given(st.binary())
def test_garbage_is_refused_as_such(garbage):
    codec = codec_for(JSONSerializer(), [JSONSerializer()])

    with pytest.raises(SerializationError):
        codec.decode(garbage)


@given(st.dictionaries(st.sampled_from(["id", "cmd", "ser", "opts", "at", "exp", "prio"]), values), st.binary())
def test_whatever_a_header_holds_nothing_but_our_errors_comes_out(header, body):
    codec = codec_for(JSONSerializer(), [JSONSerializer()])
    try:
        encoded = encode_header(json.loads(json.dumps(header, default=repr)))
    except (ValueError, EncodeError):
        return

    with pytest.raises((SerializationError, CommandNotFound)):
        codec.decode(encoded + body)


def test_what_cannot_be_carried_is_refused_by_the_writer(codec):
    with pytest.raises(EncodeError):
        codec.encode(Note(object()))


def limited_to(size):
    registry = CommandRegistry()
    registry.register(Call)
    return CommandCodec(registry, JSONSerializer(), [JSONSerializer()], max_body_size=size)


def test_arguments_of_just_the_limit_are_carried():
    codec = limited_to(len('[["anna"],{}]'))

    assert codec.decode(codec.encode(Call((("anna",), {})))).data == (["anna"], {})


def test_arguments_beyond_the_limit_are_refused_where_they_are_written():
    with pytest.raises(EncodeError, match=r"args\[1\] of tests.call: it takes 102 bytes and max_body_size allows 50"):
        limited_to(50).encode(Call((("anna", "x" * 100), {})))


def test_arguments_beyond_the_limit_are_not_read():
    message = limited_to(1000).encode(Call((("x" * 100,), {})))

    with pytest.raises(BodyTooLarge, match=r"unpacks to 109 bytes and max_body_size, .*, allows 108"):
        limited_to(108).decode(message)

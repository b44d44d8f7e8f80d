"""What crosses between a consumer and its processes arrives as it was sent."""

from __future__ import annotations

import enum
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.backends import Ack, Arrival, Bury, Delivery, Message, Release, ResultWrite, Retry, Wake
from huey_core.consumer.pools.process_codec import FrameReader, decode_outcome, encode_outcome, frame
from huey_core.exceptions import ConfigurationError
from plain_backend import PlainStore

HERE = {"results": PlainStore("results"), "state": PlainStore("state")}
THERE = {"results": PlainStore("results"), "state": PlainStore("state")}

DELIVERY = Delivery(b"data", "id", "receipt", 1, "what only the backend knows")

texts = st.text(st.characters(codec="utf-8"))
seconds = st.floats(0, 1e9)
messages = st.builds(Message, st.binary(), texts, st.integers(-1000, 1000), st.none() | seconds, st.none() | texts)
arrivals = st.builds(Arrival, texts, texts, st.integers(1, 2**31), messages, st.floats(0.001, 1e9))
results = st.builds(ResultWrite, st.sampled_from([*THERE.values()]), texts, st.binary(), st.none() | seconds)
wakes = st.builds(Wake, st.sampled_from([*THERE.values()]), texts, st.binary())
following = (st.lists(messages).map(tuple), st.lists(arrivals).map(tuple))
outcomes = st.one_of(
    st.builds(Ack, st.just(DELIVERY), st.none() | results, *following),
    st.builds(Retry, st.just(DELIVERY), st.binary(), seconds, st.booleans()),
    st.builds(Release, st.just(DELIVERY), seconds, st.none() | wakes),
    st.builds(Bury, st.just(DELIVERY), texts, texts, st.none() | results, *following),
)


def here(outcome):
    """The same outcome with the stores of this process."""
    match outcome:
        case Ack(result=ResultWrite(store=store)) | Bury(result=ResultWrite(store=store)):
            return replace(outcome, result=replace(outcome.result, store=HERE[store.name]))
        case Release(wake=Wake(store=store)):
            return replace(outcome, wake=replace(outcome.wake, store=HERE[store.name]))
        case _:
            return outcome


@given(outcomes)
def test_an_outcome_arrives_with_the_delivery_and_the_stores_of_the_consumer(outcome):
    [values] = FrameReader().feed(frame(*encode_outcome(outcome, THERE)))

    arrived = decode_outcome(DELIVERY, values, HERE)

    assert arrived == here(outcome)
    assert arrived.delivery is DELIVERY


@given(st.lists(st.lists(st.none() | st.booleans() | st.integers() | st.binary() | texts)), st.integers(1, 50))
def test_frames_arrive_whole_however_their_bytes_are_cut(frames, size):
    data = b"".join(frame(*values) for values in frames)
    reader = FrameReader()

    arrived = [one for start in range(0, len(data), size) for one in reader.feed(data[start : start + size])]

    assert arrived == [tuple(values) for values in frames]


class Urgency(enum.IntEnum):
    HIGH = 7


class Name(str):
    __slots__ = ()


def test_values_of_classes_below_the_plain_ones_arrive_as_plain_ones():
    [values] = FrameReader().feed(frame(Name("name"), Urgency.HIGH, (True, None)))

    assert values == ("name", 7, (True, None))
    assert [type(value) for value in values[:2]] == [str, int]


def test_what_is_not_plain_is_refused():
    with pytest.raises(TypeError, match="is of type object"):
        frame(object())


def test_a_data_store_that_the_consumer_would_not_know_is_refused():
    outcome = Ack(DELIVERY, ResultWrite(PlainStore("another"), "key", b"value", None))

    with pytest.raises(ConfigurationError, match="neither the result store nor the task store"):
        encode_outcome(outcome, THERE)

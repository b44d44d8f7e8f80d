"""The promises of serializers, in one class to subclass."""

# ruff: noqa: S101 - assertions are what a test is made of
from __future__ import annotations

import copy
import itertools
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import strategies as st

from huey_core.exceptions import DecodeError, EncodeError
from huey_testing.conformance._promises import in_threads, within
from huey_testing.conformance._serializer_base import (
    SerializerFactory,
    SerializerFixtures,
    serializer_promise,
    shown,
    switching_often,
    traced,
)
from huey_testing.conformance._serializer_values import (
    CARRIED,
    PLAIN,
    STRANGE,
    UNCARRIABLE,
    Carried,
    Detonator,
    depth_of,
    nested,
    same,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.serializers import Serializer

__all__ = ["Carried", "SerializerConformance"]

NAME: Final = re.compile(r"[a-z][a-z0-9._-]*")

LARGE: Final[dict[str, Any]] = {
    "a long text": "häppchen " * 100_000,
    "a long list": list(range(200_000)),
    "a long dict": {f"key {number}": number for number in range(50_000)},
    "many small lists": [[number, [str(number)]] for number in range(20_000)],
}

ORDINARY: Final[list[Any]] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63 - 1, -(2**63), 0.0, -0.0, 1.0, 1e300, 5e-324),
    *("", "text", "häppchen €", "\x00", "\n", "null", "1", [], [[]], [None], {}, {"": {}}, {"$": "tuple", "v": [1]}),
]
"""Plain values that have been mistaken for others."""

SAMPLE: Final = ["text", 3, {"key": [1.5, None, "häppchen"]}, [True, [[]]], -70000, "x" * 40]
"""A plain value with something of everything."""


class SerializerConformance(SerializerFixtures):
    """Every promise of a serializer. Override ``make_serializer``; see :mod:`huey_testing.conformance`."""

    @serializer_promise
    def test_it_has_one_name(self, make_serializer: SerializerFactory) -> None:
        """Without this, a consumer would refuse the messages of its own application as those of another serializer."""
        one, other = make_serializer(), make_serializer()
        name = one.name
        assert [layer for layer in name.split("|") if not NAME.fullmatch(layer)] == []
        one.decode(one.encode([1]))
        assert (one.name, other.name) == (name, name)

    @serializer_promise
    def test_plain_values_come_back_as_they_were(self, serializer: Serializer) -> None:
        """Without this, the most ordinary arguments would fail, or reach a command as something else."""

        def check(value: Any) -> None:
            got = serializer.decode(serializer.encode(value))
            assert same(got, value), f"{value!r} came back as {got!r}"

        for value in ORDINARY:
            check(value)
        self.try_with(PLAIN, check)

    @serializer_promise
    def test_what_is_declared_comes_back_as_it_was(self, serializer: Serializer) -> None:
        """Without this, a command would fail, or see another value, with arguments that are said to be carried."""

        def check(kind: str, value: Any) -> None:
            got = serializer.decode(serializer.encode(value))
            assert same(got, value), f"{kind}: {value!r} came back as {got!r}"

        declared = {kind.value: CARRIED[kind] for kind in self.carries} | {"one of more_values": self.more_values}
        for kind, values in declared.items():
            self.try_with(
                st.just([]) | values | values.map(lambda value: {"in": [value]}), partial(check, kind), one_of=4
            )

    @serializer_promise
    def test_what_is_not_carried_is_refused_and_not_changed(self, serializer: Serializer) -> None:
        """Without this, a command would work on another value than it was called with, and nobody would know."""

        def check(value: Any) -> None:
            try:
                data = serializer.encode(value)
            except EncodeError:
                return
            got = serializer.decode(data)
            assert same(got, value), f"{value!r} came back as {got!r}"

        self.try_with(STRANGE | STRANGE.map(lambda value: {"in": [value]}), check)
        for kind in CARRIED.keys() - set(self.carries):
            self.try_with(CARRIED[kind], check, one_of=4)

    @serializer_promise
    @pytest.mark.parametrize("make", UNCARRIABLE.values(), ids=UNCARRIABLE.keys())
    def test_what_nobody_can_carry_is_an_encode_error(self, serializer: Serializer, make: Callable[[], Any]) -> None:
        """Without this, the caller of a command would get an error of the serializer's insides, or none."""
        with pytest.raises(EncodeError):
            serializer.encode(make())

    @serializer_promise
    @pytest.mark.parametrize("depth", [2, 20, 90, 400, 900, 100_000])
    def test_what_is_nested_deep_is_refused_or_can_be_read(self, serializer: Serializer, depth: int) -> None:
        """Without this, a command could be enqueued that no consumer can read, and would end as a dead letter."""
        try:
            data = serializer.encode(nested(depth))
        except EncodeError:
            assert depth > 20, "20 lists in each other are refused"
        else:
            assert depth_of(serializer.decode(data)) == depth

    @serializer_promise
    def test_a_value_that_contains_itself_is_refused_or_written(self, serializer: Serializer) -> None:
        """Without this, such an argument would crash the process that calls the command."""
        value: list[Any] = [1]
        value.append({"again": value})
        try:
            data = serializer.encode(value)
        except EncodeError:
            return
        assert serializer.decode(data)[1]["again"][0] == 1

    @serializer_promise
    def test_encoding_leaves_the_value_alone(self, serializer: Serializer) -> None:
        """Without this, calling a command would change the caller's own data."""

        def check(value: Any) -> None:
            before = copy.deepcopy(value)
            serializer.encode(value)
            assert same(value, before), f"{before!r} became {value!r}"

        self.try_with(self.carried_values(), check)

    @serializer_promise
    def test_what_is_decoded_twice_shares_nothing(self, serializer: Serializer) -> None:
        """Without this, a command that changes its argument would change that of the next attempt."""
        data = serializer.encode([{"key": [1]}])
        serializer.decode(data)[0]["key"].append(2)
        assert serializer.decode(data) == [{"key": [1]}]

    @serializer_promise
    def test_one_process_reads_what_another_wrote(self, make_serializer: SerializerFactory) -> None:
        """Without this, a consumer could not read what a web process enqueued."""
        writer, reader = make_serializer(), make_serializer()
        data = writer.encode(SAMPLE, b"header")
        assert type(data) is bytes
        assert reader.decode(data, b"header") == SAMPLE

    @serializer_promise
    def test_many_threads_use_one_serializer(self, serializer: Serializer) -> None:
        """Without this, a command would now and then get the arguments of another one."""

        def work(number: int) -> Callable[[], None]:
            def run() -> None:
                for turn in range(50):
                    value = [f"thread {number}, turn {turn}"] * (1 + number * 20)
                    assert serializer.decode(serializer.encode(value)) == value, "the value of another thread"

            return run

        with switching_often():
            in_threads(map(work, range(8)), 6 * self.deadline)

    @serializer_promise
    @pytest.mark.parametrize("value", LARGE.values(), ids=LARGE.keys())
    def test_a_large_body_takes_the_time_that_its_size_explains(self, serializer: Serializer, value: Any) -> None:
        """Without this, one large message would hold up a consumer for minutes."""
        data = within(self.deadline, lambda: serializer.encode(value), "encode()")
        got = within(self.deadline, lambda: serializer.decode(data), "decode()")
        # Compared first: pytest would explain at length how one large value differs from another.
        intact = got == value
        assert intact

    @serializer_promise
    @pytest.mark.usefixtures("_of_others")
    def test_garbage_is_a_decode_error(self, serializer: Serializer) -> None:
        """Without this, one damaged message would crash a worker instead of becoming a dead letter."""
        self.try_with(st.binary() | st.text().map(str.encode), partial(self.read_or_refused, serializer))

    @serializer_promise
    @pytest.mark.usefixtures("_of_others")
    def test_deep_garbage_is_a_decode_error(self, serializer: Serializer) -> None:
        """Without this, whoever can write to the queue could crash every consumer with one message."""
        for number in range(256):
            data = bytes([number]) * 20_000
            within(self.deadline, partial(self.read_or_refused, serializer, data), f"decoding {shown(data)}")

    @serializer_promise
    def test_a_body_that_is_cut_off_is_a_decode_error(self, serializer: Serializer) -> None:
        """Without this, a message of which a part was lost would crash a worker instead of becoming a dead letter."""

        def check(drawn: tuple[Any, float]) -> None:
            data = serializer.encode(drawn[0])
            self.read_or_refused(serializer, data[: int(drawn[1] * len(data))])

        self.try_with(st.tuples(self.carried_values(), st.floats(0, 1, exclude_max=True)), check)

    @serializer_promise
    @pytest.mark.usefixtures("_of_others")
    def test_a_body_with_changed_bits_is_a_value_or_a_decode_error(self, serializer: Serializer) -> None:
        """Without this, a message with one wrong bit would crash a worker instead of becoming a dead letter."""

        def check(drawn: tuple[Any, float, int]) -> None:
            data = bytearray(serializer.encode(drawn[0]))
            data[int(drawn[1] * len(data))] ^= drawn[2]
            self.read_or_refused(serializer, bytes(data))

        changes = st.tuples(self.carried_values(), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
        self.try_with(changes, check)

    @serializer_promise
    @pytest.mark.usefixtures("_of_others")
    def test_a_body_that_lies_about_its_size_takes_no_memory(self, serializer: Serializer) -> None:
        """Without this, a message of a few bytes could take the memory of a whole machine."""
        data = serializer.encode(SAMPLE)
        with traced():
            for place, width, filling in itertools.product(range(len(data)), (1, 2, 4, 8), (b"\xff", b"\x7f")):
                self.read_cheaply(serializer, data[:place] + filling * width + data[place + width :])

    @serializer_promise
    @pytest.mark.usefixtures("_of_others")
    def test_hostile_bytes_are_refused_at_little_cost(self, serializer: Serializer) -> None:
        """Without this, whoever can write to the queue could stop every consumer with a small message."""
        for data in self.hostile:
            read = within(self.deadline, partial(self.read_or_refused, serializer, data), f"decoding {shown(data)}")
            assert not read, f"{shown(data)} was read"
        # Apart, because to count memory takes many times as long as to decode.
        with traced():
            for data in self.hostile:
                self.read_cheaply(serializer, data)

    @serializer_promise
    @pytest.mark.usefixtures("_of_others")
    def test_no_code_runs_that_the_bytes_choose(self, serializer: Serializer) -> None:
        """Without this, whoever can write to the queue could take over every consumer."""
        Detonator.went_off = False
        for payload in Detonator.payloads():
            self.read_or_refused(serializer, payload)
            assert not Detonator.went_off, f"decoding {shown(payload)} ran what it says"

    @serializer_promise
    def test_the_context_is_bound_or_ignored(self, serializer: Serializer) -> None:
        """Without this, a message could not be read because of its header, which a serializer need not understand."""

        def check(drawn: tuple[Any, bytes, bytes]) -> None:
            value, context, other = drawn
            data = serializer.encode(value, context)
            assert same(serializer.decode(data, context), value)
            try:
                got = serializer.decode(data, other)
            except DecodeError:
                return
            assert same(got, value), f"with another context, {value!r} came back as {got!r}"

        self.try_with(st.tuples(PLAIN, st.binary(), st.binary()), check)

"""Serializers that each break one promise. Each carries tuples, and says so."""

from __future__ import annotations

import dataclasses
import itertools
import json
import pickle
import time
import zlib

from huey_core.exceptions import BodyTooLarge, DecodeError, EncodeError
from huey_core.serializers.base import Serializer, WrappingSerializer
from huey_core.serializers.json import JSONSerializer
from huey_core.serializers.signed import SignedSerializer
from mutants import caught_by


@caught_by("test_it_has_one_name")
class HasANameOfItsOwn(JSONSerializer):
    numbers = itertools.count()

    def __init__(self):
        self.number = next(self.numbers)

    @property
    def name(self):
        return f"json-{self.number}"


@caught_by("test_it_has_one_name")
class HasTheNameOfTheLayerAsWell(JSONSerializer):
    name = "json|"


@caught_by("test_plain_values_come_back_as_they_were")
class RoundsNumbers(JSONSerializer):
    def decode(self, data, context=b""):
        value = super().decode(data)
        return float(value) if type(value) is int else value


@caught_by("test_what_is_declared_comes_back_as_it_was")
class RefusesWhatItDeclares(JSONSerializer):
    def encode(self, value, context=b""):
        if type(value) is tuple:
            raise EncodeError("no tuples")
        return super().encode(value)


@caught_by("test_what_is_declared_comes_back_as_it_was")
class ReadsTuplesAsLists(JSONSerializer):
    def decode(self, data, context=b""):
        value = super().decode(data)
        return list(value) if type(value) is tuple else value


@caught_by("test_what_is_not_carried_is_refused_and_not_changed")
class WritesWhatItDoesNotKnowAsText(JSONSerializer):
    def encode(self, value, context=b""):
        try:
            return super().encode(value)
        except EncodeError:
            return json.dumps(value, default=str).encode()


@caught_by("test_what_is_not_carried_is_refused_and_not_changed")
class MakesDataclassesAnew(JSONSerializer):
    def decode(self, data, context=b""):
        value = super().decode(data)
        return dataclasses.replace(value) if dataclasses.is_dataclass(value) else value


@caught_by("test_what_nobody_can_carry_is_an_encode_error")
class RaisesWhatItsInsidesRaise(JSONSerializer):
    def encode(self, value, context=b""):
        try:
            return super().encode(value)
        except EncodeError as error:
            raise TypeError(str(error)) from error


@caught_by("test_what_is_nested_deep_is_refused_or_can_be_read")
class WritesDeeperThanItReads(JSONSerializer):
    def decode(self, data, context=b""):
        if data.startswith(b"[" * 50):
            raise DecodeError("too deep")
        return super().decode(data)


@caught_by("test_a_value_that_contains_itself_is_refused_or_written")
class EndsInARecursionError(JSONSerializer):
    def encode(self, value, context=b""):
        self.walk(value)
        return super().encode(value)

    def walk(self, value):
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            self.walk(item)


@caught_by("test_encoding_leaves_the_value_alone")
class TakesTheValueApart(JSONSerializer):
    def encode(self, value, context=b""):
        data = super().encode(value)
        if type(value) is list:
            value.clear()
        return data


@caught_by("test_what_is_decoded_twice_shares_nothing")
class RemembersWhatItRead(JSONSerializer):
    def __init__(self):
        self.read_before = {}

    def decode(self, data, context=b""):
        if data not in self.read_before:
            self.read_before[data] = super().decode(data)
        return self.read_before[data]


@caught_by("test_one_process_reads_what_another_wrote")
class CanOnlyReadItsOwn(JSONSerializer):
    def __init__(self):
        self.values = []

    def encode(self, value, context=b""):
        self.values.append(value)
        return b"%d" % (len(self.values) - 1)

    def decode(self, data, context=b""):
        try:
            return self.values[int(data)]
        except (ValueError, IndexError) as error:
            raise DecodeError("unknown") from error


@caught_by("test_many_threads_use_one_serializer")
class UsesOneBufferForAll(JSONSerializer):
    def encode(self, value, context=b""):
        self.buffer = super().encode(value)
        time.sleep(0)
        return self.buffer


@caught_by("test_a_large_body_takes_the_time_that_its_size_explains")
class TakesTheSquareOfTheSize(JSONSerializer):
    def decode(self, data, context=b""):
        time.sleep((len(data) / 500_000) ** 2)
        return super().decode(data)


@caught_by("test_garbage_is_a_decode_error")
class LetsAnErrorOfItsInsidesOut(JSONSerializer):
    def decode(self, data, context=b""):
        return json.loads(data)


@caught_by("test_deep_garbage_is_a_decode_error")
class ReadsDeeplyByRecursion(JSONSerializer):
    def decode(self, data, context=b""):
        self.skip(data)
        return super().decode(data)

    def skip(self, data):
        if data.startswith(b"["):
            self.skip(data[1:])


@caught_by("test_a_body_that_is_cut_off_is_a_decode_error")
class LooksAtTheLastByte(JSONSerializer):
    def decode(self, data, context=b""):
        {"]": 1, "}": 1}.get(data.decode()[-1])
        return super().decode(data)


@caught_by("test_a_body_with_changed_bits_is_a_value_or_a_decode_error")
class AsksWhetherBytesAreText(JSONSerializer):
    def decode(self, data, context=b""):
        data.decode()
        return super().decode(data)


class SizedSerializer(JSONSerializer):
    """JSON behind its size in four bytes."""

    def encode(self, value, context=b""):
        data = super().encode(value)
        return len(data).to_bytes(4, "big") + data


@caught_by("test_a_body_that_lies_about_its_size_takes_no_memory")
class BelievesTheSizeThatItIsTold(SizedSerializer):
    def decode(self, data, context=b""):
        body = bytearray(min(int.from_bytes(data[:4], "big"), 2**26))
        body[:] = data[4:]
        return super().decode(bytes(body))


@caught_by("test_no_code_runs_that_the_bytes_choose")
class EvaluatesText(JSONSerializer):
    def decode(self, data, context=b""):
        try:
            return super().decode(data)
        except DecodeError:
            try:
                return eval(data)
            except Exception as error:
                raise DecodeError("not Python") from error


@caught_by("test_no_code_runs_that_the_bytes_choose")
class FallsBackToPickle(JSONSerializer):
    def decode(self, data, context=b""):
        if not data.startswith((b"\x80", b"cc", b"chuey")):
            return super().decode(data)
        try:
            return pickle.loads(data)
        except Exception as error:
            raise DecodeError("not a pickle") from error


@caught_by("test_the_context_is_bound_or_ignored")
class ReadsTheContext(JSONSerializer):
    def decode(self, data, context=b""):
        return context or super().decode(data)


class Layer(WrappingSerializer):
    """A layer that keeps its promises."""

    suffix = "layer"

    def wrap(self, body, context):
        return b"<" + body

    def unwrap(self, data, context, max_size):
        if not data.startswith(b"<"):
            raise DecodeError("no layer")
        return data[1:]


@caught_by("test_its_name_is_that_of_the_inner_one_and_its_suffix")
class HidesTheInnerName(Layer):
    name = "layer"


@caught_by("test_what_the_inner_one_made_comes_back_byte_for_byte")
class StripsWhatItCarries(Layer):
    def unwrap(self, data, context, max_size):
        return super().unwrap(data.rstrip(b"\x00"), context, max_size)


@caught_by("test_the_context_reaches_the_inner_one")
class DropsTheContext(Layer):
    def encode(self, value, context=b""):
        return super().encode(value)


@caught_by("test_errors_of_the_inner_one_pass_through")
class HidesTheReason(Layer):
    def decode(self, data, context=b""):
        try:
            return super().decode(data, context)
        except DecodeError as error:
            raise DecodeError("it failed") from error


@caught_by("test_no_more_is_unpacked_than_the_reader_takes")
class UnpacksWhateverItIs(Layer):
    def wrap(self, body, context):
        return zlib.compress(body)

    def unwrap(self, data, context, max_size):
        try:
            return zlib.decompress(data)
        except zlib.error as error:
            raise DecodeError(str(error)) from error


@caught_by("test_what_is_as_large_as_it_may_be_comes_back")
class CountsItsOwnBytes(Layer):
    def unwrap(self, data, context, max_size):
        if len(data) > max_size:
            raise BodyTooLarge(max_size)
        return super().unwrap(data, context, max_size)


@caught_by("test_it_says_whether_what_is_inside_may_run_code")
class SaysNothingOfWhatIsInside(Layer):
    runs_code = False


@caught_by("test_an_unsafe_order_of_layers_is_refused")
class DoesNotAskForTheOrder(Layer):
    def __init__(self, inner: Serializer):
        self.inner = inner


class Signed(SignedSerializer):
    """A signature that keeps its promises."""

    def __init__(self, inner: Serializer):
        super().__init__(inner, keys=["the key of the broken serializers"])


@caught_by("test_nothing_that_was_changed_reaches_the_inner_one")
class ReadsBeforeItVerifies(Signed):
    def decode(self, data, context=b""):
        value = self.inner.decode(data[40:], context)
        super().decode(data, context)
        return value


@caught_by("test_nothing_is_read_under_another_context")
class SignsTheBodyAlone(Signed):
    def encode(self, value, context=b""):
        return super().encode(value)

    def decode(self, data, context=b""):
        return super().decode(data)


@caught_by("test_nothing_that_was_changed_reaches_the_inner_one")
class OnlySaysThatItAuthenticates(Layer):
    authenticates = True

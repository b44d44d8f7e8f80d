"""JSON that brings Python values back as they were, and refuses what it could not bring back.

The output is strict JSON in UTF-8. ``None``, ``bool``, ``int``, finite ``float``, ``str``, ``list``, and ``dict`` with
text keys are written as JSON has them; everything else as an object with the key ``"$"``, the *tag*:

============================== ==================================================================================
Python                         JSON
============================== ==================================================================================
tuple, set, frozenset          ``{"$": "tuple", "v": [...]}``
dict with other keys, or with  ``{"$": "dict", "v": [[key, value], ...]}``
the key ``"$"``
bytes                          ``{"$": "bytes", "v": base64}``
float nan, inf, -inf           ``{"$": "float", "v": "nan"}``
Decimal, UUID                  ``{"$": "decimal", "v": "1.10"}``
date                           ``{"$": "date", "v": "2030-12-31"}``
datetime, time                 ``{"$": "datetime", "v": "2030-12-31T23:59:59+01:00"}``; with ``"fold": 1`` for the
                               second of two, and ``"zone": "Europe/Berlin"`` for a ``ZoneInfo``
timedelta                      ``{"$": "timedelta", "v": [days, seconds, microseconds]}``
registered Enum                ``{"$": "enum", "t": "module.Name", "v": member name, or value of a Flag}``
registered dataclass           ``{"$": "dataclass", "t": "module.Name", "v": {field: value, ...}}``
============================== ==================================================================================

Types are taken exactly: an instance of a subclass (a named tuple, an ``OrderedDict``, an ``IntEnum`` that was not
registered) would come back as something else, so it is refused. Nothing is ever imported or called because a message
names it: an Enum or dataclass must have been registered in the process that reads, by :meth:`JSONSerializer.register`.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
from typing import Any, Final, NoReturn, TypeVar

from huey_core.exceptions import ConfigurationError, DecodeError, EncodeError
from huey_core.serializers._tagging import (
    ALWAYS_PLAIN,
    MAX_DEPTH,
    PLAIN,
    Refused,
    registered_names,
    registered_types,
    tag,
    type_name,
)
from huey_core.serializers._untagging import unreadable, untag
from huey_core.serializers.base import Serializer

__all__ = ["MAX_DEPTH", "JSONSerializer"]

T = TypeVar("T")


class JSONSerializer(Serializer):
    """The default serializer: JSON with tags for the Python types that JSON lacks. See the module for the format."""

    @property
    def name(self) -> str:
        """``json``."""
        return "json"

    def encode(self, value: Any, context: bytes = b"") -> bytes:
        """Turn a value into JSON.

        Raises:
            EncodeError: A type is not carried, text is not valid Unicode, or containers are nested more than
                :data:`MAX_DEPTH` deep or contain themselves; the message names the place.
        """
        try:
            try:
                return _write_json(tag(value, PLAIN, 0)).encode()
            except ValueError:
                # A float that is not finite, or text or an integer that JSON cannot have: rare enough that it pays
                # to look at every one of them only now.
                return _write_json(tag(value, ALWAYS_PLAIN, 0)).encode()
        except Refused as refused:
            raise EncodeError(f"json cannot carry {refused.reason}, found at {refused.place()}") from None
        except RecursionError as error:
            raise EncodeError("json cannot carry a value nested so deep this far down the caller's stack") from error

    def decode(self, data: bytes, context: bytes = b"") -> Any:
        """Turn JSON back into a value.

        Raises:
            DecodeError: The bytes are not JSON, a tag is unknown or damaged, or a type is not registered here.
        """
        # "$" has one escaped form only, so bytes with neither have no tag, and the hook need not see every object.
        read = _read_tagged if b'"$"' in data or b"\\u0024" in data else _read_plain
        try:
            return read(data.decode())
        except DecodeError:
            raise
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
            raise unreadable(f"{type(error).__name__}: {error}") from error

    @staticmethod
    def register(kind: type[T]) -> type[T]:
        """Let every ``JSONSerializer`` of this process carry the instances of an Enum or dataclass; a class decorator.

        The type travels by its dotted name, so the reading process must register it too, under the same name: by
        importing the module that defines it. An Enum's members travel by name, those of a Flag by value. A dataclass
        is made anew by calling it with its fields; a field that a message lacks takes its default.

        Raises:
            ConfigurationError: It is neither an Enum nor a dataclass, it is defined inside a function, or its
                constructor needs more than its fields.
        """
        name = type_name(kind)
        if "<locals>" in name:
            raise ConfigurationError(f"{name} cannot be registered: it is defined inside a function")
        if not issubclass(kind, enum.Enum):
            if not dataclasses.is_dataclass(kind):
                raise ConfigurationError(f"{name} cannot be registered: it is neither an Enum nor a dataclass")
            fields = {field.name for field in dataclasses.fields(kind) if field.init}
            for parameter in inspect.signature(kind).parameters.values():
                if parameter.default is parameter.empty and parameter.name not in fields:
                    raise ConfigurationError(
                        f"{name} cannot be registered: its constructor needs {parameter.name!r}, which is not a field"
                    )
        registered_names[kind] = name
        registered_types[name] = kind
        return kind


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


# What is written has passed tag, so it cannot contain itself.
_write_json: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode
_read_plain: Final = json.JSONDecoder(parse_constant=_refuse_constant).decode
_read_tagged: Final = json.JSONDecoder(parse_constant=_refuse_constant, object_hook=untag).decode

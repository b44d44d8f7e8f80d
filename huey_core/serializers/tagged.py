"""The base of serializers that bring Python values back as they were, over a format that has few types of its own.

What the format lacks travels as an object with the key ``"$"``, the *tag*; :mod:`huey_core.serializers.json` lists the
tags. A serializer for another format says which types the format has, how it is written, and how it is read::

    class AsciiSerializer(TaggedSerializer):
        name = "ascii"
        quick = Tagger({str, int, float, bool, type(None)})
        thorough = Tagger({str, bool, type(None)})

        def write(self, tagged):
            return json.dumps(tagged, allow_nan=False).encode("ascii")

        def read(self, data):
            return json.loads(data, object_hook=untag)
"""

from __future__ import annotations

import dataclasses
import enum
from abc import abstractmethod
from typing import Any, ClassVar, Final, TypeVar

from huey_core.exceptions import ConfigurationError, DecodeError, EncodeError
from huey_core.names import ModuleRun
from huey_core.serializers._tagging import (
    MAX_DEPTH,
    Fields,
    Refused,
    Tagger,
    registered_fields,
    registered_names,
    registered_types,
    type_name,
)
from huey_core.serializers._untagging import Unreadable, untag, untag_all
from huey_core.serializers.base import Serializer

__all__ = ["MAX_DEPTH", "TaggedSerializer", "Tagger", "register", "untag", "untag_all"]

T = TypeVar("T")

_WRITTEN_IN_PYTHON: Final = 1 << 9
"""Of the flags of a type, what Python's headers call ``Py_TPFLAGS_HEAPTYPE``."""

_runs: Final[dict[str, ModuleRun]] = {}


class TaggedSerializer(Serializer):
    """Carries every value for which there is a tag, and refuses the others with their place."""

    quick: ClassVar[Tagger]
    """Makes values ready for :meth:`write`, and may leave as they are some that the format turns out to refuse."""

    thorough: ClassVar[Tagger]
    """Does it again after that, and looks at every value of a type of which the format refuses some."""

    @abstractmethod
    def write(self, tagged: Any) -> bytes:
        """Write what a :class:`Tagger` made.

        Raises:
            ValueError: The format refuses a value.
            OverflowError: The format refuses a number.
        """

    @abstractmethod
    def read(self, data: bytes) -> Any:
        """Read what :meth:`write` made, and call :func:`untag` for every object in it, or :func:`untag_all` at the end.

        Raises:
            ValueError: The bytes are damaged. So may ``TypeError``, ``LookupError``, ``ArithmeticError``,
                ``RecursionError`` say.
        """

    def encode(self, value: Any, context: bytes = b"") -> bytes:
        """Turn a value into bytes.

        Raises:
            EncodeError: A type is not carried, text is not valid Unicode, or containers are nested more than
                :data:`MAX_DEPTH` deep or contain themselves; the message names the place.
        """
        try:
            try:
                return self.write(self.quick.tag(value))
            except (ValueError, OverflowError):
                # A value that the format cannot have, of a type that it has: rare enough that it pays to look at every
                # one of them only now.
                return self.write(self.thorough.tag(value))
        except Refused as refused:
            raise EncodeError(f"{self.name} cannot carry {refused.reason}, found at {refused.place()}") from None
        except RecursionError as error:
            raise EncodeError(
                f"{self.name} cannot carry a value nested so deep this far down the caller's stack"
            ) from error
        except (ValueError, OverflowError) as error:
            raise EncodeError(f"{self.name} cannot carry a value that is named or built so: {error}") from error

    def decode(self, data: bytes, context: bytes = b"") -> Any:
        """Turn bytes back into a value.

        Raises:
            DecodeError: The bytes are not of the format, a tag is unknown or damaged, or a type is not registered here.
        """
        try:
            return self.read(data)
        except Unreadable as error:
            raise self._unreadable(str(error)) from error.__cause__
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
            raise self._unreadable(f"{type(error).__name__}: {error}") from error

    def _unreadable(self, reason: str) -> DecodeError:
        """Make the error of damaged bytes; its message is one line, for it becomes the reason of a dead letter."""
        return DecodeError(f"the bytes cannot be read as {self.name}: {' '.join(reason.split())}")


def register(kind: type[T]) -> type[T]:
    """Let every :class:`TaggedSerializer` of this process carry the instances of an Enum or dataclass; a decorator.

    The type travels by its dotted name, so the reading process must register it too, under the same name: by
    importing the module that defines it. An Enum's members travel by name, those of a Flag by value. A dataclass
    travels as the values of its fields, and comes back with these and without a call of its ``__init__`` or
    ``__post_init__``, as from pickle; a field that a message lacks takes its default.

    What a module defines when it is reloaded, and a cell of a notebook when it is run again, takes the place of what
    it has defined before.

    Raises:
        ConfigurationError: It is neither an Enum nor a dataclass, it is defined inside a function, it inherits from a
            built-in type, whose value is no field, or another type of its module has its name.
    """
    name = type_name(kind)
    if "<locals>" in name:
        raise ConfigurationError(f"{name} cannot be registered: it is defined inside a function")
    run = ModuleRun.of(kind.__module__)
    if not _may_replace(name, kind, run):
        raise ConfigurationError(f"{name} cannot be registered: another type of this name is; rename one of the two")
    if not issubclass(kind, enum.Enum):
        if not dataclasses.is_dataclass(kind):
            raise ConfigurationError(f"{name} cannot be registered: it is neither an Enum nor a dataclass")
        for base in kind.__mro__[:-1]:
            if not base.__flags__ & _WRITTEN_IN_PYTHON:
                raise ConfigurationError(
                    f"{name} cannot be registered: only fields are carried, and what it has of {type_name(base)}, from "
                    "which it inherits, is none; make that a field"
                )
        registered_fields[kind] = Fields(kind)
    _runs[name] = run
    registered_names[kind] = name
    registered_types[name] = kind
    return kind


def _may_replace(name: str, kind: type, run: ModuleRun) -> bool:
    earlier = registered_types.get(name, kind)
    # At a prompt, and in a notebook, every line is the same run of the same module.
    return earlier is kind or kind.__module__ == "__main__" or run.is_another(_runs[name])

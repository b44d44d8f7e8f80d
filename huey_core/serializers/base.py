"""What a serializer is: a named pair of functions between values and bytes.

Whoever reads a body says how many bytes it may have when every layer is taken off. What a value costs in memory and
time follows from that: in CPython a byte of a body stands for up to 75 bytes of objects, such as an empty map in
MessagePack, and for less than a tenth of a microsecond.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final

from huey_core.exceptions import BodyTooLarge, ConfigurationError, EncodeError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DEFAULT_MAX_BODY_SIZE", "Serializer", "WrappingSerializer", "check_layers", "safe_order"]

DEFAULT_MAX_BODY_SIZE: Final = 17 * 2**20
"""The most bytes of a body, without its layers, that are written and read unless an application says otherwise.

16 MiB of text, and what surrounds them: more than a document of MongoDB holds, so most applications never meet it; what
one message can cost a consumer stays about a gigabyte of memory and two seconds.
"""


class Serializer(ABC):
    """Turns the arguments and results of commands into bytes and back.

    A message carries the serializer's name in its header, and a consumer decodes only those names that it was
    configured to accept. An instance is used by many threads at once.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The name in the message header, and in the entry-point group ``huey_core.serializers``."""

    @property
    def runs_code(self) -> bool:
        """Whether :meth:`decode` may run code that the bytes choose, as pickle does.

        One that does says so with ``runs_code = True`` in its class. Its messages are not decoded only to be looked at,
        and a consumer that accepts it warns when it starts. The conformance kit holds every other one to its word.
        """
        return False

    @abstractmethod
    def encode(self, value: Any, context: bytes = b"") -> bytes:
        """Turn a value into bytes.

        Args:
            value: The value.
            context: The bytes beside which the encoded value will travel, for a serializer that signs; the same
                bytes are given to :meth:`decode`.

        Raises:
            EncodeError: The value, or something inside it, cannot be carried.
        """

    @abstractmethod
    def decode(self, data: bytes, context: bytes = b"") -> Any:
        """Turn bytes back into a value.

        Raises:
            DecodeError: The bytes are not what :meth:`encode` makes.
        """

    def encode_within(self, value: Any, context: bytes, max_size: int) -> bytes:
        """Do what :meth:`encode` does, and refuse what :meth:`decode_within` would not read.

        Args:
            value: The value.
            context: As for :meth:`encode`.
            max_size: The most bytes that the value may have before any layer is put around them.

        Raises:
            EncodeError: It has more, or cannot be carried.
        """
        body = self.encode(value, context)
        if len(body) > max_size:
            raise _too_large(len(body), max_size)
        return body

    def decode_within(self, data: bytes, context: bytes, max_size: int) -> Any:
        """Do what :meth:`decode` does, for a body of a limited size.

        Args:
            data: The bytes.
            context: As for :meth:`encode`.
            max_size: The most bytes that the value may have when every layer is taken off. No layer unpacks more, and
                nothing larger is decoded.

        Raises:
            BodyTooLarge: It has more.
            DecodeError: The bytes are not what :meth:`encode` makes.
        """
        if len(data) > max_size:
            raise BodyTooLarge(max_size, len(data))
        return self.decode(data, context)


class WrappingSerializer(Serializer):
    """A serializer around another one, such as a signature or a compression.

    A subclass says how bytes are wrapped and unwrapped. Calling the inner serializer is done here.

    In a name the layers are written from the inside out: ``json|signed`` signs what ``json`` made.

    Args:
        inner: The serializer whose bytes are wrapped.

    Raises:
        ConfigurationError: This layer would read what no other has verified, although one inside it verifies; or it
            is there already. The message says the right order.
    """

    suffix: str
    """The last part of the name, and the name in the entry-point group ``huey_core.serializers``."""

    authenticates: ClassVar[bool] = False
    """Whether ``unwrap`` refuses what was not written by the holder of a secret."""

    def __init__(self, inner: Serializer) -> None:
        self.inner = inner
        layers: list[WrappingSerializer] = [self]
        while isinstance(inner, WrappingSerializer):
            layers.insert(0, inner)
            inner = inner.inner
        check_layers(inner.name, layers)

    @abstractmethod
    def wrap(self, body: bytes, context: bytes) -> bytes:
        """Turn the bytes of the inner serializer into those of this layer.

        Args:
            body: The bytes.
            context: The bytes beside which the result will travel; :meth:`unwrap` is given the same.

        Raises:
            EncodeError: They cannot be wrapped.
        """

    @abstractmethod
    def unwrap(self, data: bytes, context: bytes, max_size: int) -> bytes:
        """Turn the bytes of this layer back into those of the inner serializer.

        Args:
            data: What :meth:`wrap` made, or anything else.
            context: The bytes beside which they travelled.
            max_size: The most bytes that may be returned. A layer whose bytes can stand for many more looks at this
                before it unpacks them.

        Raises:
            BodyTooLarge: There would be more.
            DecodeError: The bytes are not what :meth:`wrap` makes.
        """

    def encode(self, value: Any, context: bytes = b"") -> bytes:
        """Encode a value of at most :data:`DEFAULT_MAX_BODY_SIZE` bytes, and wrap it; see :meth:`encode_within`."""
        return self.encode_within(value, context, DEFAULT_MAX_BODY_SIZE)

    def decode(self, data: bytes, context: bytes = b"") -> Any:
        """Unwrap a value of at most :data:`DEFAULT_MAX_BODY_SIZE` bytes, and decode it; see :meth:`decode_within`."""
        return self.decode_within(data, context, DEFAULT_MAX_BODY_SIZE)

    def encode_within(self, value: Any, context: bytes, max_size: int) -> bytes:
        """Let the inner serializer encode, and wrap that; see :meth:`Serializer.encode_within`."""
        body = self.inner.encode_within(value, context, max_size)
        if len(body) > max_size:
            raise _too_large(len(body), max_size)
        return self.wrap(body, context)

    def decode_within(self, data: bytes, context: bytes, max_size: int) -> Any:
        """Unwrap, and let the inner serializer decode that; see :meth:`Serializer.decode_within`."""
        body = self.unwrap(data, context, max_size)
        if len(body) > max_size:
            raise BodyTooLarge(max_size, len(body))
        return self.inner.decode_within(body, context, max_size)

    @property
    def name(self) -> str:
        """The inner serializer's name, and this one's behind it."""
        return f"{self.inner.name}|{self.suffix}"

    @property
    def runs_code(self) -> bool:
        """Whether the inner one may, unless this layer keeps from it what the holder of a secret has not written."""
        return self.inner.runs_code and not self.authenticates


def _too_large(size: int, max_size: int) -> EncodeError:
    return EncodeError(
        f"it takes {size:,} bytes and max_body_size allows {max_size:,}; store the data elsewhere and pass a reference "
        "to it, or raise max_body_size, where it is read before where it is written"
    )


def check_layers(innermost: str, layers: Sequence[WrappingSerializer | type[WrappingSerializer]]) -> None:
    """Refuse layers, given from the inside out, that are in an unsafe order, or one that is there twice.

    Raises:
        ConfigurationError: They are; the message says the right order.
    """
    suffixes = [layer.suffix for layer in layers]
    spec = "|".join([innermost, *suffixes])
    right = "|".join([innermost, *safe_order(layers)])
    for place, layer in enumerate(layers):
        if layer.suffix in suffixes[:place]:
            raise ConfigurationError(f"the serializer {spec!r} has the layer {layer.suffix!r} twice; write {right!r}")
        if layer.authenticates and not all(outer.authenticates for outer in layers[place:]):
            outer = next(outer.suffix for outer in layers[place:] if not outer.authenticates)
            raise ConfigurationError(
                f"in the serializer {spec!r}, {outer!r} would read what {layer.suffix!r} has not verified yet, for the "
                f"outermost layer reads first; write {right!r}"
            )


def safe_order(layers: Sequence[WrappingSerializer | type[WrappingSerializer]]) -> list[str]:
    """The suffixes of layers, each once, with those that authenticate outside of all others."""
    # Sorting keeps the order of those that are alike, and a dict keeps the first of each.
    return list(dict.fromkeys(layer.suffix for layer in sorted(layers, key=_authenticates)))


def _authenticates(layer: WrappingSerializer | type[WrappingSerializer]) -> bool:
    return layer.authenticates

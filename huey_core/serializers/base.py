"""What a serializer is: a named pair of functions between values and bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Serializer", "WrappingSerializer", "check_layers", "safe_order"]


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


class WrappingSerializer(Serializer):
    """A serializer around another one, such as a signature or a compression.

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
    """Whether ``decode`` refuses what was not written by the holder of a secret, before any layer inside reads it."""

    def __init__(self, inner: Serializer) -> None:
        self.inner = inner
        layers: list[WrappingSerializer] = [self]
        while isinstance(inner, WrappingSerializer):
            layers.insert(0, inner)
            inner = inner.inner
        check_layers(inner.name, layers)

    @property
    def name(self) -> str:
        """The inner serializer's name, and this one's behind it."""
        return f"{self.inner.name}|{self.suffix}"

    @property
    def runs_code(self) -> bool:
        """Whether the inner one may, unless this layer keeps from it what the holder of a secret has not written."""
        return self.inner.runs_code and not self.authenticates


def check_layers(innermost: str, layers: Sequence[WrappingSerializer | type[WrappingSerializer]]) -> None:
    """Refuse layers that are in an unsafe order, or one that is there twice.

    Args:
        innermost: The name of the serializer inside them all.
        layers: The layers from the inside out.

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

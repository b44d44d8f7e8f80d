"""What a serializer is: a named pair of functions between values and bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

__all__ = ["Serializer", "WrappingSerializer"]


class Serializer(ABC):
    """Turns the arguments and results of commands into bytes and back.

    A message carries the serializer's name in its header, and a consumer decodes only those names that it was
    configured to accept. An instance is used by many threads at once.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The name in the message header, and in the entry-point group ``huey_core.serializers``."""

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
    """

    suffix: str
    """The last part of the name, and the name in the entry-point group ``huey_core.serializers``."""

    def __init__(self, inner: Serializer) -> None:
        self.inner = inner

    @property
    def name(self) -> str:
        """The inner serializer's name, and this one's behind it."""
        return f"{self.inner.name}|{self.suffix}"

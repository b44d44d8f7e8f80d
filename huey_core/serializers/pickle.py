"""Pickle, for those who ask for it: it carries almost any Python object, and whoever writes a message runs code.

Unpickling executes whatever the bytes say. Anyone who can write to the queue or to the result store can therefore take
over every process that reads from it. Use it only wrapped in a signature (``pickle|signed``), or where the server is
as well guarded as the consumers themselves. A consumer accepts it only when it is configured to.
"""

from __future__ import annotations

import pickle
from typing import Any, Final

from huey_core.exceptions import DecodeError, EncodeError
from huey_core.serializers.base import Serializer

__all__ = ["PickleSerializer"]

_PROTOCOL: Final = 5


class PickleSerializer(Serializer):
    """Carries whatever pickle carries. **Decoding runs code that the sender chose**; see the module."""

    name = "pickle"
    runs_code = True

    def encode(self, value: Any, context: bytes = b"") -> bytes:
        """Turn a value into a pickle of protocol 5; what pickle raised is the ``__cause__`` of the ``EncodeError``."""
        try:
            return pickle.dumps(value, protocol=_PROTOCOL)
        except Exception as error:
            raise EncodeError(f"pickle cannot carry a value of type {type(value).__qualname__}: {error}") from error

    def decode(self, data: bytes, context: bytes = b"") -> Any:
        """Turn a pickle back into a value, which runs code that the bytes choose, or raise a ``DecodeError``."""
        try:
            return pickle.loads(data)  # noqa: S301 - this is what the serializer is for, and it must be asked for
        except Exception as error:
            raise DecodeError(f"the bytes cannot be read as pickle: {type(error).__name__}: {error}") from error

"""A compression around another serializer, which unpacks no more than it was told to.

::

    00                    body as the inner serializer made it
    28 B5 2F FD ...       one Zstandard frame (RFC 8878) of that body

A body goes as it is, behind one zero byte, when it is small or when compression would not make it smaller. Every frame
begins with 28, so the first byte tells which it is.

A compressed body of a few kilobytes can stand for gigabytes. How much a body unpacks to is therefore limited: what a
frame says of its size is read before anything is unpacked, and what it turns out to have is never unpacked beyond the
limit. The window, which the reader of a frame has to keep in memory, is limited with it.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

from huey_core.backends.options import parse_positive_size
from huey_core.exceptions import ConfigurationError, DecodeError, EncodeError
from huey_core.serializers.base import Serializer, WrappingSerializer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["DEFAULT_MAX_SIZE", "MAX_SIZE_VARIABLE", "ZstdSerializer"]

DEFAULT_MAX_SIZE: Final = 64 * 2**20
"""The most bytes that a body may unpack to, unless another limit is set."""

MAX_SIZE_VARIABLE: Final = "HUEY_ZSTD_MAX_SIZE"
"""The environment variable with the limit, for a serializer that is given none: ``67108864``, ``64MiB``."""

_LEVEL: Final = 3
_WORTH_IT: Final = 256
"""The least size in bytes of a body that is compressed. A smaller one hardly shrinks, and costs as much time."""

_STORED: Final = b"\x00"

_WINDOWS: Final = range(23, 28)
"""Binary logarithms of the largest window: from what every reader should have, 8 MiB, to the most that is usual."""


class ZstdSerializer(WrappingSerializer):
    """Compresses what another serializer makes.

    Args:
        inner: The serializer whose bytes are compressed.
        max_size: The most bytes that a body may unpack to. A larger one is not written either. ``None`` takes it from
            the environment variable ``HUEY_ZSTD_MAX_SIZE``, and :data:`DEFAULT_MAX_SIZE` where that is not set.

    Attributes:
        HUEY_PLUGIN_API: The version of the plugin API that this is written for.

    Raises:
        ConfigurationError: The limit is not a size, or ``inner`` has a layer that has to be outside of this one.
    """

    HUEY_PLUGIN_API = 1

    suffix = "zstd"

    def __init__(self, inner: Serializer, max_size: int | None = None) -> None:
        super().__init__(inner)
        self.max_size = _size_from_environment() if max_size is None else max_size
        if self.max_size < 1:
            raise ConfigurationError(f"max_size is {self.max_size}; it is a number of bytes, 1 or more")
        # No writer needs a window that is larger than the body, rounded up to a power of two.
        window = min(max(_WINDOWS[0], (self.max_size - 1).bit_length()), _WINDOWS[-1])
        self._options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: window}

    def encode(self, value: Any, context: bytes = b"") -> bytes:
        """Encode a value with the inner serializer and compress it.

        Raises:
            EncodeError: The inner serializer cannot carry the value, or its bytes are more than the limit.
        """
        body = self.inner.encode(value, context)
        if len(body) > self.max_size:
            raise EncodeError(f"zstd cannot carry a body of {len(body):,} bytes; {self._limit()}")
        if len(body) >= _WORTH_IT:
            frame = zstd.compress(body, _LEVEL)
            if len(frame) <= len(body):
                return frame
        return _STORED + body

    def decode(self, data: bytes, context: bytes = b"") -> Any:
        """Unpack the bytes, up to the limit, and let the inner serializer read.

        Raises:
            DecodeError: The bytes are not what :meth:`encode` makes, unpack to more than the limit, or cannot be read
                by the inner serializer.
        """
        return self.inner.decode(data[1:] if data[:1] == _STORED else self._unpack(data), context)

    def _unpack(self, frame: bytes) -> bytes:
        try:
            told = zstd.get_frame_info(frame).decompressed_size
            if told is not None and told > self.max_size:
                raise DecodeError(f"the body says that it unpacks to {told:,} bytes; {self._limit()}")
            unpacking = zstd.ZstdDecompressor(options=self._options)
            body = unpacking.decompress(frame, self.max_size + 1)
        except zstd.ZstdError as error:
            raise DecodeError(f"the bytes cannot be unpacked as zstd: {error}; {self._limit()}") from error
        if len(body) > self.max_size:
            raise DecodeError(f"the body unpacks to more than it may; {self._limit()}")
        if not unpacking.eof:
            raise DecodeError("the bytes cannot be unpacked as zstd: they are cut off")
        if unpacking.unused_data:
            raise DecodeError("the bytes cannot be unpacked as zstd: more follows behind the end")
        return body

    def _limit(self) -> str:
        return f"the limit is {self.max_size:,} bytes (max_size, or {MAX_SIZE_VARIABLE})"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r}, max_size={self.max_size})"


def _size_from_environment() -> int:
    text = os.environ.get(MAX_SIZE_VARIABLE, "").strip()
    try:
        return parse_positive_size(text) if text else DEFAULT_MAX_SIZE
    except ValueError as error:
        raise ConfigurationError(f"{MAX_SIZE_VARIABLE} is {text!r}: {error}") from error

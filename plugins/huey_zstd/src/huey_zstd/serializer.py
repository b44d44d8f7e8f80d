"""A compression around another serializer, which unpacks no more than it was told to.

::

    00                    body as the inner serializer made it
    28 B5 2F FD ...       one Zstandard frame (RFC 8878) of that body

A body goes as it is, behind one zero byte, when it is small or when compression would not make it smaller. Every frame
begins with 28, so the first byte tells which it is.

A compressed body of a few kilobytes can stand for gigabytes. Whoever reads one says how much it may unpack to: what a
frame says of its size is read before anything is unpacked, and what it turns out to have is never unpacked beyond the
limit. The window, which the reader of a frame has to keep in memory, is limited with it.
"""

from __future__ import annotations

import sys
from typing import Final

from huey_core.exceptions import BodyTooLarge, DecodeError
from huey_core.serializers import WrappingSerializer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["ZstdSerializer"]

_LEVEL: Final = 3
_WORTH_IT: Final = 256
"""The least size in bytes of a body that is compressed. A smaller one hardly shrinks, and costs as much time."""

_STORED: Final = b"\x00"

_WINDOW: Final = zstd.DecompressionParameter.window_log_max

_WINDOWS: Final = range(23, 28)
"""Binary logarithms of the largest window: from what every reader should have, 8 MiB, to the most that is usual."""


class ZstdSerializer(WrappingSerializer):
    """Compresses what another serializer makes.

    Args:
        inner: The serializer whose bytes are compressed.

    Attributes:
        HUEY_PLUGIN_API: The version of the plugin API that this is written for.

    Raises:
        ConfigurationError: ``inner`` has a layer that has to be outside of this one.
    """

    HUEY_PLUGIN_API = 1

    suffix = "zstd"

    def wrap(self, body: bytes, context: bytes) -> bytes:
        """Compress the bytes, if that makes them fewer."""
        if len(body) >= _WORTH_IT:
            frame = zstd.compress(body, _LEVEL)
            if len(frame) <= len(body):
                return frame
        return _STORED + body

    def unwrap(self, data: bytes, context: bytes, max_size: int) -> bytes:
        """Unpack the bytes, up to the limit.

        Raises:
            BodyTooLarge: There are more, or the frame asks for more memory than the limit explains.
            DecodeError: The bytes are not what :meth:`wrap` makes.
        """
        if data[:1] == _STORED:
            return data[1:]
        try:
            size = zstd.get_frame_info(data).decompressed_size
            if size is not None and size > max_size:
                raise BodyTooLarge(max_size, size)
            # No writer needs a window that is larger than the body, rounded up to a power of two.
            window = min(max(_WINDOWS[0], (max_size - 1).bit_length()), _WINDOWS[-1])
            unpacking = zstd.ZstdDecompressor(options={_WINDOW: window})
            body = unpacking.decompress(data, max_size + 1)
        except zstd.ZstdError as error:
            raise DecodeError(f"the bytes cannot be unpacked as zstd: {error}") from error
        if len(body) > max_size:
            raise BodyTooLarge(max_size)
        if not unpacking.eof:
            raise DecodeError("the bytes cannot be unpacked as zstd: they are cut off")
        if unpacking.unused_data:
            raise DecodeError("the bytes cannot be unpacked as zstd: more follows behind the end")
        return body

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r})"

"""The serializer ``msgpack`` for huey-core: MessagePack that brings Python values back as they were."""

from __future__ import annotations

from huey_msgpack._version import __version__
from huey_msgpack.serializer import MessagePackSerializer

__all__ = ["MessagePackSerializer", "__version__"]

"""The layer ``zstd`` for huey-core's serializers: ``json|zstd`` compresses what ``json`` made."""

from __future__ import annotations

from huey_zstd._version import __version__
from huey_zstd.serializer import ZstdSerializer

__all__ = ["ZstdSerializer", "__version__"]

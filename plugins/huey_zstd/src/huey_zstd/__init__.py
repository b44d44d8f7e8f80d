"""The layer ``zstd`` for huey-core's serializers: ``json|zstd`` compresses what ``json`` made."""

from __future__ import annotations

from huey_zstd._version import __version__
from huey_zstd.serializer import DEFAULT_MAX_SIZE, MAX_SIZE_VARIABLE, ZstdSerializer

__all__ = ["DEFAULT_MAX_SIZE", "MAX_SIZE_VARIABLE", "ZstdSerializer", "__version__"]

"""Messages as they are on the wire, with whatever header a test wants."""

from __future__ import annotations

from typing import Any

from huey_core.message import encode_header

__all__ = ["pack"]


def pack(header: dict[str, Any], body: bytes) -> bytes:
    """Build a message from its header and its body."""
    return encode_header(header) + body

"""Texts that every server and serializer takes.

A text of Python's may hold lone surrogates, which no encoding of Unicode has. They come from names of files whose bytes
are of another encoding (PEP 383), and so into the messages and the tracebacks of errors about such files.
"""

from __future__ import annotations

__all__ = ["escape_surrogates"]


def escape_surrogates(text: str) -> str:
    """Return a text with each lone surrogate as the escape that Python writes for it."""
    return text.encode("utf-8", "backslashreplace").decode()

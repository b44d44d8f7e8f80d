"""Texts that every server and serializer takes, and that are no larger than somebody will read.

A text of Python's may hold lone surrogates, which no encoding of Unicode has. They come from names of files whose bytes
are of another encoding (PEP 383), and so into the messages and the tracebacks of errors about such files.
"""

from __future__ import annotations

__all__ = ["cut_middle", "escape_surrogates"]


def cut_middle(text: str, limit: int) -> str:
    """Return a text of at most about ``limit`` characters: its beginning, how much was left out, and its end.

    The beginning of a traceback says where the command was, and its end what happened there.
    """
    if len(text) <= limit:
        return text
    kept = limit // 2
    return f"{text[:kept]} [... {len(text) - 2 * kept:,} characters left out ...] {text[-kept:]}"


def escape_surrogates(text: str) -> str:
    """Return a text with each lone surrogate as the escape that Python writes for it."""
    return text.encode("utf-8", "backslashreplace").decode()

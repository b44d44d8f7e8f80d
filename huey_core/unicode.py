"""Texts that every server and serializer takes, and that are no larger than somebody will read.

A text of Python's may hold lone surrogates, which no encoding of Unicode has. They come from names of files whose bytes
are of another encoding (PEP 383), and so into the messages and the tracebacks of errors about such files, and from the
environment in the same way.
"""

from __future__ import annotations

import re
from typing import Final

from huey_core.exceptions import ConfigurationError

__all__ = ["check_unicode", "cut_middle", "escape_surrogates", "has_surrogate"]

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def check_unicode(what: str, text: str) -> None:
    """Refuse a text of the configuration that no server takes and no terminal prints.

    Raises:
        ConfigurationError: It is no text, or has a lone surrogate, as a byte becomes that is not UTF-8 in an
            environment variable. The message says ``what`` it is, and does not show it.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"{what} must be a text, not {text!r}")
    found = _SURROGATE.search(text)
    if found is not None:
        raise ConfigurationError(
            f"{what} is not valid Unicode at character {found.start() + 1}: probably a byte that is not UTF-8, in the "
            "environment or on the command line; write it in UTF-8"
        )


def has_surrogate(text: str) -> bool:
    """Whether a text has a lone surrogate, which no server takes."""
    return _SURROGATE.search(text) is not None


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

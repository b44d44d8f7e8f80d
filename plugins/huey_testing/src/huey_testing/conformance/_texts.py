"""Names, ids and keys that are easily taken for one another, or cut off, or refused."""

from __future__ import annotations

from typing import Final

__all__ = ["DIFFICULT_ENDINGS", "DIFFICULT_TEXTS", "SIMILAR_TO_A_SURROGATE", "SURROGATE", "shown"]

LONG_TEXT: Final = "long " * 1000

DIFFICULT_ENDINGS: Final = (
    *("a-b", "ab", "a_b", "a b", "a.b", "a/b", "a:b", "a%b", "a%2Fb", "a\\b", 'a"b', "a'b", "a$b", "A-B", " ab", "ab "),
    *("*", "a*", "?", "[ab]", "{a}", "a{b}c", "}{", "{}", "..", "\N{LATIN SMALL LETTER U WITH DIAERESIS}"),
    *("u\N{COMBINING DIAERESIS}", "\N{HIRAGANA LETTER KI}\N{HIRAGANA LETTER YU}", "\N{PARTY POPPER}", "x" * 160),
    *("a", "a\x00b", f"{LONG_TEXT}a", f"{LONG_TEXT}b"),
)
"""Ends of names that are easily mixed up with one another, or with a backend's own signs."""

DIFFICULT_TEXTS: Final = (*DIFFICULT_ENDINGS, "", "\x00", "$a", "a\x00", "line\nline")
"""Whole texts of that kind."""

SURROGATE: Final = "\ud800"
"""A text that no encoding of Unicode has. A backend may refuse it."""

SIMILAR_TO_A_SURROGATE: Final = ("?", "\N{REPLACEMENT CHARACTER}", "\\ud800", "")
"""What an encoding may make of it."""


def shown(text: str) -> str:
    """Return what stands for a text in the name of a test."""
    return text if len(text) < 20 else f"{text[:5]}...{text[-5:]}"

"""The work itself, which knows nothing of queues: which files to count, and how."""

from __future__ import annotations

import re
import sysconfig
from collections import Counter
from pathlib import Path
from typing import Final

STANDARD_LIBRARY: Final = Path(sysconfig.get_path("stdlib"))

_WORD: Final = re.compile(r"[^\W\d_]+")
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


def source_files(folder: Path) -> list[str]:
    """List the Python files of a folder by their paths inside it, without installed packages."""
    names = (path.relative_to(folder) for path in folder.rglob("*.py"))
    return sorted(str(name) for name in names if _INSTALLED.isdisjoint(name.parts))


def count_words(path: Path) -> Counter[str]:
    """Count the words of a file: runs of letters, in lower case."""
    # Python's own tests hold files in odd encodings on purpose.
    return Counter(_WORD.findall(path.read_text(encoding="utf-8", errors="replace").lower()))


def differences(counted: Counter[str], expected: Counter[str]) -> list[str]:
    """Say for which words two counts differ."""
    return [
        f"{word!r} was counted {counted[word]:,} times and occurs {expected[word]:,} times"
        for word in sorted(counted.keys() | expected.keys())
        if counted[word] != expected[word]
    ]

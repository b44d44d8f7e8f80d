"""The Lua scripts: each is one atomic, bounded step on the server.

A script is a file of ``lua/``, with those before it that define what it shares with others. Those that work on a whole
queue begin with ``prelude.lua``, which names the keys. Each call of a script makes its functions anew, which takes the
server about a quarter of a microsecond a function: so what claims and outcomes do not need is in files of its own.

The server undoes nothing when a script fails in the middle. So no command of a script can fail once another has
written, but for what fails the first that writes as well: arguments are made so that the server takes them, and what
is a hint only is called so that its failure does not matter.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Final

__all__ = [
    "CLAIM",
    "COUNTS",
    "DELETE",
    "DELETE_GROUPS",
    "EXTEND",
    "FIND",
    "FREE",
    "GROUPS",
    "IMPORT",
    "INCREMENT",
    "PAGES",
    "PEEK",
    "REPLACE",
    "REPORT",
    "REQUEUE",
    "RESCHEDULE",
    "RESUME",
    "RUNNING",
    "SETTLE",
    "WRITE",
    "WRITE_PLAIN",
    "Script",
]


@dataclass(frozen=True, slots=True)
class Script:
    """A script and the digest by which the server knows it once it was loaded."""

    source: bytes
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.source, usedforsecurity=False).hexdigest().encode()
        object.__setattr__(self, "digest", digest)


def _read(*names: str) -> Script:
    folder = files("huey_redis") / "lua"
    return Script(b"\n".join((folder / f"{name}.lua").read_bytes() for name in names))


WRITE_PLAIN: Final = _read("write_plain")
WRITE: Final = _read("prelude", "schedule", "unique", "new_message", "write")
CLAIM: Final = _read("prelude", "waits", "claim")
SETTLE: Final = _read("prelude", "put", "schedule", "unique", "new_message", "follow", "settle")
REPORT: Final = _read("prelude", "schedule", "unique", "new_message", "follow", "report")
EXTEND: Final = _read("prelude", "extend")
COUNTS: Final = _read("prelude", "counts")
PEEK: Final = _read("prelude", "rows", "peek")
FIND: Final = _read("prelude", "rows", "find")
PAGES: Final = _read("prelude", "rows", "page", "pages")
RUNNING: Final = _read("prelude", "running")
REQUEUE: Final = _read("prelude", "waits", "unique", "requeue")
DELETE: Final = _read("prelude", "waits", "delete")
RESCHEDULE: Final = _read("prelude", "waits", "schedule", "reschedule")
IMPORT: Final = _read("prelude", "schedule", "unique", "new_message", "import")
FREE: Final = _read("prelude", "put", "free")
GROUPS: Final = _read("prelude", "page", "groups")
DELETE_GROUPS: Final = _read("prelude", "delete_groups")
RESUME: Final = _read("prelude", "resume")
REPLACE: Final = _read("put", "replace")
INCREMENT: Final = _read("put", "increment")

"""Looking at stored messages and acting on them, for every front end: the command line, an admin's pages, a program.

:mod:`~huey_core.inspection.messages` reads a message as facts, :mod:`~huey_core.inspection.queues` looks at the queues
of a server, and :mod:`~huey_core.inspection.actions` tries again and deletes.

What is listed here is public; the modules of this package are not.
"""

from __future__ import annotations

from huey_core.inspection.actions import Acted, act, dead_ids, delete, retry
from huey_core.inspection.messages import Arguments, MessageFacts
from huey_core.inspection.queues import QueueFacts, queues_of

__all__ = [
    "Acted",
    "Arguments",
    "MessageFacts",
    "QueueFacts",
    "act",
    "dead_ids",
    "delete",
    "queues_of",
    "retry",
]

"""Messages and consumers as people read them: every text is printable, and times are those of the project.

What a message says is read by :mod:`huey_core.inspection`, which neither raises because of what a message
contains nor runs any of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from huey_core.backends import MAX_DETAIL
from huey_core.inspection import MessageFacts
from huey_core.text import printable
from huey_core.unicode import cut_middle
from huey_django.models import Command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from huey_core.backends import StoredMessage
    from huey_core.consumer import ConsumerRecord
    from huey_django.project_queue import ProjectQueue

__all__ = ["LIST_LIMIT", "PAGE_LIMIT", "ShownConsumer", "ShownMessage", "moment"]

LIST_LIMIT: Final = 16 * 1024
"""The longest body in bytes that is decoded for a list."""

PAGE_LIMIT: Final = 256 * 1024
"""The longest body in bytes that is decoded for a page of its own."""

_SHORT: Final = 120

_SHOWN_APART: Final = frozenset(
    {"task_id", "command_name", "serializer", "enqueued_at", "eta", "expires_at", "retries", "retried", "priority"}
)
"""The fields of a header that a page shows elsewhere, or not at all."""

_PARTS: Final = re.compile(r"(?<=[._])(?=[^._])")


@dataclass(frozen=True)
class ShownConsumer:
    """A consumer that is alive, as people read it.

    Attributes:
        name: Host, process and a number.
        workers: How many commands it runs at once.
        running: How many it runs.
        shown: What it runs, the longest first, as far as its queue can tell.
        in_flight: How many it holds under a lease, running ones included.
        started: When it started.
        seen: When it last wrote a heartbeat.
    """

    name: str
    workers: int
    running: int
    shown: Sequence[ShownMessage]
    in_flight: int
    started: datetime | None
    seen: datetime | None

    @classmethod
    def read(cls, record: ConsumerRecord, running: Mapping[str, ShownMessage]) -> ShownConsumer:
        """Read what a consumer says about itself.

        Args:
            record: What it says.
            running: Messages that run, by their ids.
        """
        return cls(
            printable(record.name),
            record.workers,
            record.running,
            [running[each] for each in record.running_ids if each in running],
            record.in_flight,
            moment(record.started),
            moment(record.seen),
        )


@dataclass(frozen=True)
class ShownMessage:
    """A message as people read it. Every text is printable.

    Attributes:
        queue: Its queue.
        stored: The message.
        name: The command; empty when the message cannot be read.
        problem: Why the message cannot be read; empty when it can.
        serializer: The serializer of its body.
        arguments: The arguments as source text, one to a text; ``None`` when they are not shown.
        hidden: Why the arguments are not shown; empty when they are.
        enqueued: When it was written; ``None`` when it does not say so.
        expires: When it expires; ``None`` for never.
        retries_left: How often it may be tried again.
        tries: How often it was tried again.
        fields: Further fields of its header, as texts.
    """

    queue: ProjectQueue
    stored: StoredMessage
    name: str = ""
    problem: str = ""
    serializer: str = ""
    arguments: Sequence[str] | None = None
    hidden: str = ""
    enqueued: datetime | None = None
    expires: datetime | None = None
    retries_left: int = 0
    tries: int = 0
    fields: Sequence[tuple[str, str]] = ()

    @classmethod
    def read(cls, queue: ProjectQueue, stored: StoredMessage, limit: int | None) -> ShownMessage:
        """Read a message.

        Args:
            queue: Its queue.
            stored: The message.
            limit: The longest body in bytes that is decoded; ``None`` decodes none.
        """
        facts = MessageFacts.read(stored)
        if facts.problem:
            return cls(queue, stored, problem=printable(facts.problem))
        header = facts.header
        arguments = None if limit is None else facts.arguments(queue.invoker, limit)
        return cls(
            queue,
            stored,
            name=printable(facts.command),
            serializer=printable(header.serializer),
            arguments=None if arguments is None or arguments.hidden else arguments.texts,
            hidden="" if arguments is None else arguments.hidden,
            enqueued=moment(header.enqueued_at),
            expires=moment(header.expires_at),
            retries_left=header.retries,
            tries=header.retried,
            fields=[
                (printable(name), printable(value if isinstance(value, str) else repr(value)))
                for key, found in header.labelled_fields()
                if key not in _SHOWN_APART
                for name, value in (found.items() if isinstance(found, dict) else [(key, found)])
            ],
        )

    @property
    def address(self) -> str:
        """The message's address in the admin."""
        return Command.address_of(self.queue.key, self.stored.message_id)

    @property
    def breakable_name(self) -> SafeString:
        """The command, in limited length, as markup in which a line may end behind a dot or an underscore."""
        return format_html_join(SafeString("<wbr>"), "{}", ((part,) for part in _PARTS.split(_short(self.name))))

    @property
    def message_id(self) -> str:
        """The message's id."""
        return printable(self.stored.message_id)

    @property
    def due(self) -> datetime | None:
        """When it becomes ready, when its lease ends, or when it was buried."""
        return moment(self.stored.due)

    @property
    def attempts(self) -> int:
        """How often it was delivered, retries included."""
        return self.stored.attempt + self.tries

    @property
    def reason(self) -> str:
        """Why it was buried."""
        return printable(cut_middle(self.stored.reason, MAX_DETAIL))

    @property
    def short_reason(self) -> str:
        """Why it was buried, in one line of limited length."""
        return _short(printable(self.stored.reason[: _SHORT + 1]))

    @property
    def detail(self) -> str:
        """The traceback, usually."""
        return printable(cut_middle(self.stored.detail, MAX_DETAIL), keep="\n\t")

    @property
    def size(self) -> int:
        """The whole message in bytes."""
        return len(self.stored.data)

    @property
    def short_arguments(self) -> str:
        """The arguments in one line of limited length."""
        return _short(", ".join(self.arguments or ()))

    @property
    def call(self) -> str:
        """The command with its arguments, as one would write it."""
        arguments = "".join(f"    {each},\n" for each in self.arguments or ())
        return f"{self.name}(\n{arguments})" if arguments else f"{self.name}()"


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


def moment(seconds: Any) -> datetime | None:
    """A point in time as templates show it: aware where the project uses time zones, and naive in its own otherwise.

    Args:
        seconds: Since the epoch. A message may claim anything; what is no time gives ``None``.
    """
    if type(seconds) not in {int, float}:
        return None
    try:
        aware = datetime.fromtimestamp(seconds, UTC)
        local = aware.astimezone(timezone.get_current_timezone())
    except (OverflowError, OSError, ValueError):
        return None
    return aware if settings.USE_TZ else local.replace(tzinfo=None)

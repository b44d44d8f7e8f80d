"""What ``huey doctor`` finds out about the schedules that were made at run time: whether a consumer runs each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core.cli.diagnosis import Finding, Level
from huey_core.invoker.schedules.kept import ScheduleRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.base import BaseDataStore
    from huey_core.features.heartbeat import ConsumerRecord

__all__ = ["check_schedules"]

_LISTED: Final = 10


def check_schedules(task_store: BaseDataStore, queue_name: str, alive: Sequence[ConsumerRecord]) -> Finding:
    """Look whether each schedule of a queue is run by one of the consumers that are alive."""
    content = ScheduleRecord(task_store, queue_name).read()
    paused = sorted(name for one in (content.kept, content.declared) for name, state in one.items() if state.is_paused)
    known = {command for consumer in alive if consumer.periodic for command in consumer.commands}
    unknown = {
        name: kept.command_name
        for name, kept in content.kept.items()
        if not kept.is_paused and kept.command_name not in known
    }
    facts = {
        "kept": sorted(content.kept),
        "paused": paused,
        "unknown": unknown,
        "unreadable": dict(content.unreadable),
    }
    if unknown:
        described = [f"{name} ({command})" for name, command in sorted(unknown.items())]
        sentence = f"no consumer that runs by the clock knows the commands of {_some(described)}"
        advice = "let a consumer import the modules that define them, or remove the schedules: huey periodic remove"
        return Finding("schedules", Level.WARN, sentence, advice, facts)
    if content.unreadable:
        sentence = f"{_some(sorted(content.unreadable))} cannot be read by this version"
        advice = "bring what runs here and the consumers to the version that wrote them"
        return Finding("schedules", Level.WARN, sentence, advice, facts)
    sentence = f"{len(content.kept)} made at run time, {len(paused)} paused" if content.kept or paused else "none kept"
    return Finding("schedules", Level.OK, sentence, facts=facts)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more

"""Queues that each break one promise of what follows a message in another queue."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from huey_core.backends import Ack, Bury, queues_in
from huey_memory import MemoryQueue
from mutants import caught_by


def changed(end, **changes):
    """The same end with its follow-ups changed."""
    return replace(end, follow_ups=tuple(replace(message, **changes) for message in end.follow_ups))


class ChangesFollowUps(MemoryQueue):
    """Writes other follow-ups than those that it is given."""

    changes: ClassVar[dict[str, object]]

    def settle(self, outcomes):
        return super().settle([changed(o, **self.changes) if isinstance(o, Ack | Bury) else o for o in outcomes])


@caught_by("test_what_it_cannot_write_beside_is_refused", "test_what_follows_goes_to_the_queue_that_it_names")
class WritesIntoItself(ChangesFollowUps):
    changes: ClassVar = {"queue": None}


@caught_by("test_what_it_cannot_write_beside_is_refused")
class WritesIntoItselfAndSaysThatItCannot(ChangesFollowUps):
    changes: ClassVar = {"queue": None}

    def settles_beside(self, name):
        return name == self.name


@caught_by("test_it_settles_beside_itself")
class DoesNotKnowItself(MemoryQueue):
    def settles_beside(self, name):
        return name != self.name


@caught_by("test_it_is_written_beside_as_any_message_there")
class ForgetsUniqueKeysBeside(ChangesFollowUps):
    changes: ClassVar = {"unique_key": None}


@caught_by("test_it_is_written_beside_as_any_message_there")
class ForgetsDelaysBeside(ChangesFollowUps):
    changes: ClassVar = {"eta": None}


@caught_by("test_a_stale_receipt_writes_nothing_beside")
class WritesBesideBeforeItLooks(MemoryQueue):
    def settle(self, outcomes):
        for outcome in outcomes:
            for message in getattr(outcome, "follow_ups", ()):
                if message.queue is not None:
                    self.sibling(message.queue).write_many([message])
        return super().settle(outcomes)


@caught_by("test_a_claim_beside_that_waits_is_ended_by_it")
class WakesNobodyBeside(MemoryQueue):
    def _notify_all(self, lines):
        super()._notify_all({})


@caught_by("test_what_follows_a_reported_dead_letter_may_be_beside")
class ReportsIntoItself(MemoryQueue):
    def report_done(self, reports):
        super().report_done([changed(report, queue=None) for report in reports])


@caught_by("test_a_group_may_have_members_in_several_queues")
class KeepsAGroupWhereItsMemberIs(MemoryQueue):
    def settle(self, outcomes):
        here = [
            replace(o, arrivals=tuple(replace(each, then=replace(each.then, queue=None)) for each in o.arrivals))
            if queues_in([o])
            else o
            for o in outcomes
        ]
        return super().settle(here)

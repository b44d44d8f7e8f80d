"""Backends for several processes that each break one promise."""

from __future__ import annotations

import time
from dataclasses import replace

from huey_core.backends import Ack
from huey_sqlite import SQLiteBackend, SQLiteQueue
from mutants import caught_by


class InSeveralSteps(SQLiteQueue):
    def settle(self, outcomes):
        settled = super().settle([self.first_step(outcome) for outcome in outcomes])
        time.sleep(0.005)
        for outcome, ok in zip(outcomes, settled, strict=True):
            if ok:
                self.second_step(outcome)
        return settled


@caught_by("test_processes_that_are_killed_while_they_settle_break_no_chain")
class WritesFollowUpsAfterTheAck(SQLiteBackend):
    def queue(self, name):
        return FollowUpsLater(name, database=self.database)


class FollowUpsLater(InSeveralSteps):
    def first_step(self, outcome):
        return replace(outcome, follow_ups=()) if isinstance(outcome, Ack) else outcome

    def second_step(self, outcome):
        self.write_many(getattr(outcome, "follow_ups", ()))


@caught_by("test_processes_that_are_killed_while_they_settle_break_no_chain")
class WritesResultsAfterTheAck(SQLiteBackend):
    def queue(self, name):
        return ResultsLater(name, database=self.database)


class ResultsLater(InSeveralSteps):
    def first_step(self, outcome):
        return replace(outcome, result=None)

    def second_step(self, outcome):
        if outcome.result:
            outcome.result.store.put(outcome.result.key, outcome.result.value)

"""Queues that each break one promise of what follows a delivery: its follow-ups, its report, its postponement."""

from __future__ import annotations

import time
from dataclasses import replace

from huey_core.backends import Ack, Bury, Message, Release, Reported, Retry
from huey_memory import MemoryQueue
from mutants import caught_by
from sleeping_queue import SleepingQueue


@caught_by("test_what_follows_a_reported_dead_letter_appears_once_and_in_order")
class WritesNothingAfterAReport(MemoryQueue):
    def report_done(self, reports):
        super().report_done([Reported(report.message_id) for report in reports])


@caught_by("test_of_many_who_report_a_dead_letter_one_writes_what_follows")
class WritesWhatFollowsForEveryReporter(MemoryQueue):
    def report_done(self, reports):
        to_report = [report for report in reports if self._messages._unreported.get(report.message_id)]
        time.sleep(0.05)
        for report in to_report:
            self.write_many(report.follow_ups)
            super().report_done([Reported(report.message_id)])


@caught_by("test_nothing_follows_what_is_not_to_be_reported")
class BelievesEveryReport(MemoryQueue):
    def report_done(self, reports):
        super().report_done(reports)
        for report in reports:
            self.write_many(report.follow_ups)


@caught_by("test_a_report_over_the_limit_does_nothing")
class ReportsBeforeItLooks(MemoryQueue):
    max_message_size = 1000

    def report_done(self, reports):
        for report in reports:
            super().report_done([report])


@caught_by("test_what_follows_a_burial_appears_once_and_in_order")
class WritesNothingAfterABurial(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([replace(o, follow_ups=()) if isinstance(o, Bury) else o for o in outcomes])


@caught_by(
    "test_a_stale_burial_writes_neither_result_nor_follow_ups",
    "test_a_consumer_that_lost_its_lease_changes_nothing",
)
class WritesWhatFollowsAStaleBurial(MemoryQueue):
    def settle(self, outcomes):
        settled = super().settle(outcomes)
        for outcome, ok in zip(outcomes, settled, strict=True):
            if isinstance(outcome, Bury) and not ok:
                self.write_many(outcome.follow_ups)
        return settled


@caught_by("test_what_follows_is_as_any_message")
class RunsWhatFollowsAtOnce(MemoryQueue):
    def settle(self, outcomes):
        ends = [o for o in outcomes if isinstance(o, Ack | Bury)]
        at_once = {id(o): tuple(replace(message, eta=None) for message in o.follow_ups) for o in ends}
        return super().settle([replace(o, follow_ups=at_once[id(o)]) if id(o) in at_once else o for o in outcomes])


@caught_by("test_what_follows_is_as_any_message")
class FlattensWhatFollows(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([_without_priorities(o) if isinstance(o, Ack) else o for o in outcomes])


def _without_priorities(ack):
    return replace(ack, follow_ups=tuple(replace(message, priority=0) for message in ack.follow_ups))


@caught_by("test_an_outcome_over_the_limit_settles_nothing")
class SettlesBeforeItLooks(MemoryQueue):
    max_message_size = 1000

    def settle(self, outcomes):
        return [super(SettlesBeforeItLooks, self).settle([outcome])[0] for outcome in outcomes]


@caught_by("test_a_postponed_message_waits_for_its_delay_and_comes", "test_a_postponed_message_lets_others_pass")
class PostponesForNoTime(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([replace(o, delay=0.0) if isinstance(o, Release) else o for o in outcomes])


@caught_by("test_a_postponed_message_waits_for_its_delay_and_comes")
class LosesWhatIsPostponed(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([Ack(o.delivery) if isinstance(o, Release) and o.delay else o for o in outcomes])


@caught_by("test_a_postponement_is_no_delivery")
class CountsPostponements(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([self._counted(o) if isinstance(o, Release) and o.delay > 0 else o for o in outcomes])

    def _counted(self, release):
        return Retry(release.delivery, release.delivery.data, release.delay, keep_attempts=True)


@caught_by("test_a_postponement_is_no_delivery")
class ForgetsAttemptsAtEveryPostponement(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([self._forgotten(o) if isinstance(o, Release) and o.delay > 0 else o for o in outcomes])

    def _forgotten(self, release):
        return Retry(release.delivery, release.delivery.data, release.delay)


@caught_by("test_a_postponed_message_keeps_its_place")
class PostponesToTheTail(MemoryQueue):
    def settle(self, outcomes):
        for outcome in outcomes:
            if isinstance(outcome, Release) and outcome.delay:
                record = self._messages._records[outcome.delivery.message_id]
                record.rank = (record.rank[0], next(self._messages._serial))
        return super().settle(outcomes)


@caught_by("test_a_postponed_message_keeps_its_priority")
class FlattensWhatIsPostponed(MemoryQueue):
    def settle(self, outcomes):
        for outcome in outcomes:
            if isinstance(outcome, Release) and outcome.delay:
                record = self._messages._records[outcome.delivery.message_id]
                record.rank = (0, record.rank[1])
        return super().settle(outcomes)


@caught_by("test_a_postponed_message_is_shown_as_scheduled")
class ShowsWhatIsPostponedAsRunning(MemoryQueue):
    """As a queue does that only lets the lease end later."""

    def settle(self, outcomes):
        postponed = [o for o in outcomes if isinstance(o, Release) and o.delay]
        for outcome in postponed:
            self.extend([outcome.delivery], outcome.delay)
        others = [o for o in outcomes if o not in postponed]
        return super().settle(others) + [True] * len(postponed)


@caught_by("test_a_postponed_message_can_be_deleted", "test_a_postponed_message_is_requeued_before_its_time")
class HidesWhatIsPostponed(MemoryQueue):
    """As a queue does that keeps it in the memory of the consumer until its time has come."""

    waiting = ()

    def settle(self, outcomes):
        now = self.now()
        postponed = [o for o in outcomes if isinstance(o, Release) and o.delay]
        self.waiting = [*self.waiting, *((now + o.delay, o.delivery) for o in postponed)]
        super().settle([Ack(o.delivery) if o in postponed else o for o in outcomes])
        return [True] * len(outcomes)

    def claim(self, limit, lease, wait=0.0):
        due = [delivery for moment, delivery in self.waiting if moment <= self.now()]
        self.waiting = [(moment, delivery) for moment, delivery in self.waiting if moment > self.now()]
        self.write_many([Message(delivery.data, delivery.message_id) for delivery in due])
        return super().claim(limit, lease, wait)


@caught_by("test_a_postponed_message_holds_its_key")
class FreesTheKeysOfWhatIsPostponed(MemoryQueue):
    def settle(self, outcomes):
        for outcome in outcomes:
            if isinstance(outcome, Release) and outcome.delay:
                self._messages._free_key(self._messages._records[outcome.delivery.message_id].message, self.now())
        return super().settle(outcomes)


@caught_by("test_a_postponement_of_no_time_is_a_release")
class TakesNoTimeForLong(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([replace(o, delay=max(o.delay, 10.0)) if isinstance(o, Release) else o for o in outcomes])


@caught_by("test_a_postponed_message_that_falls_due_ends_the_wait")
class SleepsThroughWhatIsPostponed(SleepingQueue):
    pass

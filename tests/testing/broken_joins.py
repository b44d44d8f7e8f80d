"""Queues that each break one promise of groups."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from huey_core.backends import Ack, Bury, Capability, Page, Reported
from huey_core.exceptions import ConfigurationError
from huey_memory import MemoryQueue
from mutants import caught_by
from sleeping_queue import SleepingQueue


class ChangesArrivals(MemoryQueue):
    """Takes other arrivals than those that it is given."""

    def settle(self, outcomes):
        ends = [replace(o, arrivals=self.changed(o)) if isinstance(o, Ack | Bury) else o for o in outcomes]
        return super().settle(ends)

    def changed(self, outcome):
        return outcome.arrivals


@caught_by("test_the_last_of_a_group_writes_what_follows_it", "test_a_group_may_have_many_members")
class WritesWithEveryArrival(ChangesArrivals):
    def changed(self, outcome):
        return tuple(replace(arrival, of=1) for arrival in outcome.arrivals)


@caught_by("test_the_last_of_a_group_writes_what_follows_it")
class ArrivesByAnAckOnly(ChangesArrivals):
    def changed(self, outcome):
        return outcome.arrivals if isinstance(outcome, Ack) else ()


@caught_by("test_a_group_of_one_is_complete_at_once")
class WaitsForASecondMember(ChangesArrivals):
    def changed(self, outcome):
        return tuple(replace(arrival, of=max(arrival.of, 2)) for arrival in outcome.arrivals)


@caught_by("test_where_arrivals_disagree_the_one_that_completes_the_group_counts")
class BelievesTheFirstOfACall(MemoryQueue):
    """Takes the number of members from the first arrival of a call, and what follows from the one that makes it so."""

    def settle(self, outcomes):
        of = next((arrival.of for o in outcomes for arrival in o.arrivals), 0)
        ends = [replace(o, arrivals=tuple(replace(each, of=of) for each in o.arrivals)) for o in outcomes]
        return super().settle(ends)


@caught_by("test_a_group_may_arrive_in_one_call")
class NotesOneArrivalACall(MemoryQueue):
    def settle(self, outcomes):
        first = next((o for o in outcomes if o.arrivals), None)
        return super().settle([replace(o, arrivals=()) if o is not first and o.arrivals else o for o in outcomes])


@caught_by(
    "test_a_member_that_arrives_twice_counts_once",
    "test_a_dead_letter_that_is_replayed_does_not_arrive_twice",
    "test_random_histories_go_as_the_contract_says",
)
class CountsArrivals(ChangesArrivals):
    arrived = 0

    def changed(self, outcome):
        self.arrived += 1
        return tuple(
            replace(arrival, member=f"{self.arrived} {number}") for number, arrival in enumerate(outcome.arrivals)
        )


@caught_by("test_what_follows_a_group_is_written_once_whatever_arrives_later")
class ForgetsWhatIsComplete(MemoryQueue):
    def settle(self, outcomes):
        settled = super().settle(outcomes)
        self.delete_groups([group.group for group in self.groups().items if group.complete])
        return settled


@caught_by("test_what_follows_a_group_is_written_once_whatever_arrives_later")
class KnowsByTheMessageThatItWasWritten(MemoryQueue):
    """Writes what follows with every late arrival, and leaves it to its id that it is there once."""

    def settle(self, outcomes):
        settled = super().settle(outcomes)
        complete = {group.group for group in self.groups().items if group.complete}
        for outcome in outcomes:
            if isinstance(outcome, Ack | Bury):
                self.write_many([arrival.then for arrival in outcome.arrivals if arrival.group in complete])
        return settled


@caught_by("test_a_stale_receipt_arrives_nowhere")
class LetsStaleReceiptsArrive(MemoryQueue):
    def settle(self, outcomes):
        settled = super().settle(outcomes)
        with self._access:
            for outcome, ok in zip(outcomes, settled, strict=True):
                if isinstance(outcome, Ack | Bury) and not ok:
                    self._messages._write_what_follows(replace(outcome, follow_ups=()), self.now())
        return settled


@caught_by("test_a_dead_letter_arrives_when_it_is_reported")
class ArrivesByNoReport(MemoryQueue):
    def report_done(self, reports):
        super().report_done([replace(report, arrivals=()) for report in reports])


@caught_by("test_a_dead_letter_arrives_when_it_is_reported")
class ArrivesByEveryReport(MemoryQueue):
    def report_done(self, reports):
        super().report_done([Reported(report.message_id) for report in reports])
        with self._access:
            for report in reports:
                self._messages._write_what_follows(report, self.now())


@caught_by("test_groups_do_not_touch_each_other")
class SharesGroups(MemoryQueue):
    """As a server does on which the keys of groups lack the name of the queue."""

    def __init__(self, name, **options):
        super().__init__(name, **options)
        self._messages.groups = self.space.line("").messages.groups


@caught_by("test_groups_do_not_touch_each_other")
class TakesGroupsForOneAnother(ChangesArrivals):
    def changed(self, outcome):
        return tuple(replace(arrival, group=arrival.group.casefold()) for arrival in outcome.arrivals)


@caught_by("test_members_of_any_name_are_told_apart")
class TakesMembersForOneAnother(ChangesArrivals):
    def changed(self, outcome):
        return tuple(replace(arrival, member=arrival.member.strip()) for arrival in outcome.arrivals)


@caught_by("test_what_follows_a_group_is_as_any_message")
class RunsWhatFollowsAGroupAtOnce(ChangesArrivals):
    def changed(self, outcome):
        return tuple(replace(arrival, then=replace(arrival.then, eta=None)) for arrival in outcome.arrivals)


@caught_by("test_an_outcome_may_have_all_that_there_is")
class TakesOneArrivalOfAnOutcome(ChangesArrivals):
    def changed(self, outcome):
        return outcome.arrivals[:1]


@caught_by("test_a_group_is_forgotten_after_its_time", "test_who_arrives_again_does_not_prolong_a_groups_time")
class NeverForgetsGroups(ChangesArrivals):
    def changed(self, outcome):
        return tuple(replace(arrival, ttl=10.0**9) for arrival in outcome.arrivals)


@caught_by("test_a_group_is_forgotten_after_its_time")
class DeletesWhatItHasForgotten(ChangesArrivals):
    known = frozenset()

    def changed(self, outcome):
        self.known |= {arrival.group for arrival in outcome.arrivals}
        return outcome.arrivals

    def delete_groups(self, groups):
        super().delete_groups(groups)
        return [group for group in groups if group in self.known]


@caught_by("test_every_member_that_arrives_prolongs_a_groups_time")
class KeepsTheFirstTime(ChangesArrivals):
    ttl = None

    def changed(self, outcome):
        for arrival in outcome.arrivals:
            self.ttl = self.ttl or arrival.ttl
        return tuple(replace(arrival, ttl=self.ttl) for arrival in outcome.arrivals)


@caught_by("test_who_arrives_again_does_not_prolong_a_groups_time")
class ProlongsByWhoeverArrives(MemoryQueue):
    def settle(self, outcomes):
        settled = super().settle(outcomes)
        groups = self._messages.groups._groups
        for outcome in outcomes:
            for arrival in outcome.arrivals if isinstance(outcome, Ack | Bury) else ():
                group, now = groups.get(arrival.group, self.now()), self.now()
                groups.set(arrival.group, group, now, now + arrival.ttl)
        return settled


@caught_by("test_a_group_is_shown_as_it_is")
class ShowsNoGroupThatIsComplete(MemoryQueue):
    def groups(self, cursor=None, limit=100):
        page = super().groups(cursor, limit)
        return Page([group for group in page.items if not group.complete], page.cursor)


@caught_by("test_a_group_is_shown_as_it_is")
class ShowsGroupsAsForgottenSoon(MemoryQueue):
    def groups(self, cursor=None, limit=100):
        page = super().groups(cursor, limit)
        return Page([replace(group, expires=0.0) for group in page.items], page.cursor)


@caught_by("test_each_group_is_on_one_page")
class ShowsTheFirstPageOnly(MemoryQueue):
    def groups(self, cursor=None, limit=100):
        return Page(super().groups(cursor, limit).items, None)


@caught_by("test_each_group_is_on_one_page")
class ShowsTheLastOfAPageAgain(MemoryQueue):
    def groups(self, cursor=None, limit=100):
        return super().groups(str(int(cursor) - 1) if cursor else None, limit)


@caught_by("test_a_cursor_of_nobody_is_refused")
class TakesAnyCursorForTheEnd(MemoryQueue):
    def groups(self, cursor=None, limit=100):
        with suppress(ConfigurationError):
            return super().groups(cursor, limit)
        return Page([], None)


@caught_by("test_a_deleted_group_begins_anew")
class DeletesNoGroups(MemoryQueue):
    def delete_groups(self, groups):
        known = {group.group for group in self.groups().items}
        return [group for group in groups if group in known]


@caught_by("test_a_flush_forgets_groups")
class KeepsGroupsAtAFlush(MemoryQueue):
    def flush(self):
        kept = dict(self._messages.groups._groups._values)
        super().flush()
        self._messages.groups._groups._values.update(kept)


@caught_by("test_the_last_of_a_group_ends_a_wait")
class SleepsThroughTheLastArrival(SleepingQueue):
    pass


@caught_by("test_of_many_who_arrive_at_once_one_is_the_last")
class LooksBeforeItNotes(MemoryQueue):
    """Counts in one step, and writes what follows in another."""

    def settle(self, outcomes):
        arrivals = [arrival for outcome in outcomes for arrival in outcome.arrivals]
        arrived = {group.group: group.arrived for group in self.groups().items}
        time.sleep(0.001)
        thens = {arrival.member: arrival.then for arrival in arrivals}
        settled = super().settle([Ack(outcome.delivery, arrivals=self.silent(outcome)) for outcome in outcomes])
        self.write_many([thens[a.member] for a in arrivals if arrived.get(a.group, 0) + 1 == a.of])
        return settled

    def silent(self, outcome):
        return tuple(replace(arrival, of=arrival.of + 1) for arrival in outcome.arrivals)


@caught_by("test_a_group_may_have_many_members")
class KeepsAHundredMembers(MemoryQueue):
    def settle(self, outcomes):
        settled = super().settle(outcomes)
        for group in self._messages.groups._groups._values.values():
            group.members = set(sorted(group.members)[:100])
            group.arrived = len(group.members)
        return settled


@caught_by("test_what_follows_a_group_is_within_the_limit")
class LooksAtNoSizeOfWhatFollowsAGroup(MemoryQueue):
    max_message_size = 1000

    def _check(self, outcome):
        super()._check(replace(outcome, arrivals=()) if isinstance(outcome, Ack | Bury) else outcome)


@caught_by("test_what_is_not_declared_is_refused_by_name")
class HasGroupsAndDoesNotSaySo(MemoryQueue):
    capabilities = MemoryQueue.capabilities - {Capability.JOINS}

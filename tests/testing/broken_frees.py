"""Queues that each break one promise to messages that wait for a key."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import count

from huey_core.backends import Capability, EmptyData, Release, State
from huey_memory import MemoryQueue
from mutants import caught_by
from sleeping_queue import SleepingQueue


class ChangesReleases(MemoryQueue):
    """Takes another release than the one that it is given, where that waits for a key."""

    def settle(self, outcomes):
        return super().settle([self.changed(o) if isinstance(o, Release) and o.wake else o for o in outcomes])

    def changed(self, release):
        return release


@caught_by("test_of_many_who_wait_the_first_is_freed", "test_as_many_are_freed_as_were_asked_for")
class FreesEverybody(MemoryQueue):
    def free(self, wake, new=None, *, ttl=None, limit=1):
        return super().free(wake, new, ttl=ttl, limit=1000)


@caught_by("test_of_many_who_wait_the_first_is_freed")
class FreesWhoWaitsForLongest(ChangesReleases):
    """Those of the tests begin to wait with the last one."""

    began = count()

    def changed(self, release):
        record = self._messages._records[release.delivery.message_id]
        record.rank = (record.rank[0], next(self.began))
        return release


@caught_by("test_of_many_who_wait_the_first_is_freed")
class FreesWhateverIsScheduled(MemoryQueue):
    def free(self, wake, new=None, *, ttl=None, limit=1):
        freed = super().free(wake, new, ttl=ttl, limit=0)
        if freed is None:
            return None
        scheduled = [message.message_id for message in self.peek(State.SCHEDULED, limit=1000)]
        return len(self.requeue(sorted(scheduled, reverse=True)[:limit]))


@caught_by("test_who_waits_is_freed_by_priority")
class FreesWithoutRegardToPriority(ChangesReleases):
    def changed(self, release):
        record = self._messages._records[release.delivery.message_id]
        record.rank = (0, record.rank[1])
        return release


@caught_by("test_as_many_are_freed_as_were_asked_for")
class FreesOneAtATime(MemoryQueue):
    def free(self, wake, new=None, *, ttl=None, limit=1):
        return super().free(wake, new, ttl=ttl, limit=1)


@caught_by("test_the_key_is_free_with_the_same_step")
class LeavesTheKeyTaken(MemoryQueue):
    def free(self, wake, new=None, *, ttl=None, limit=1):
        return super().free(wake, wake.value if new is None else new, ttl=ttl, limit=limit)


@caught_by("test_the_key_gets_its_new_value_and_time")
class KeepsTheKeyForGood(MemoryQueue):
    def free(self, wake, new=None, *, ttl=None, limit=1):
        return super().free(wake, new, limit=limit)


@caught_by("test_the_key_gets_its_new_value_and_time")
class TakesAnEmptyValueForNone(MemoryQueue):
    def free(self, wake, new=None, *, ttl=None, limit=1):
        return super().free(wake, new or None, ttl=ttl, limit=limit)


@caught_by("test_who_frees_a_key_that_is_not_his_changes_nothing")
class FreesForAnybody(MemoryQueue):
    def free(self, wake, new=None, *, ttl=None, limit=1):
        value = wake.store.peek(wake.key)
        return super().free(wake if value is EmptyData else replace(wake, value=value), new, ttl=ttl, limit=limit)


@caught_by("test_who_frees_a_key_that_is_not_his_changes_nothing")
class FreesWhatIsFree(MemoryQueue):
    def free(self, wake, new=None, *, ttl=None, limit=1):
        wake.store.put_if_absent(wake.key, wake.value)
        return super().free(wake, new, ttl=ttl, limit=limit)


@caught_by(
    "test_a_release_whose_key_has_changed_meanwhile_is_ready_at_once",
    "test_a_release_whose_key_has_ended_meanwhile_is_ready_at_once",
)
class WaitsInVain(MemoryQueue):
    def _without_vain_wait(self, release):
        return release


@caught_by("test_a_release_whose_key_has_changed_meanwhile_is_ready_at_once")
class TakesAnEmptyKeyForNone(MemoryQueue):
    def _without_vain_wait(self, release):
        kept = super()._without_vain_wait(release)
        return release if release.wake and release.wake.store.holds_under_lock(release.wake.key, b"") else kept


@caught_by("test_a_release_whose_key_has_changed_meanwhile_is_ready_at_once")
class CountsDeliveriesOfWhoNeedNotWait(MemoryQueue):
    def _without_vain_wait(self, release):
        kept = super()._without_vain_wait(release)
        if kept is not release:
            self._messages._records[release.delivery.message_id].attempt += 1
        return kept


@caught_by("test_a_key_may_have_waiters_before_its_value_changes")
class KnowsWhoWaitsByTheValue(ChangesReleases):
    def free(self, wake, new=None, *, ttl=None, limit=1):
        store = self.of_value(wake)
        store.put(wake.key, wake.value)
        freed = super().free(replace(wake, store=store), limit=limit)
        return None if super().free(wake, new, ttl=ttl, limit=0) is None else freed

    def changed(self, release):
        store = self.of_value(release.wake)
        if release.wake.store.peek(release.wake.key) == release.wake.value:
            store.put(release.wake.key, release.wake.value)
        return replace(release, wake=replace(release.wake, store=store))

    def of_value(self, wake):
        return type(wake.store)(f"{wake.store.name} {wake.value}", access=self._access)


@caught_by("test_a_message_that_waits_comes_when_its_delay_is_over")
class WaitsForTheKeyAlone(ChangesReleases):
    def changed(self, release):
        return replace(release, delay=10.0**6)


@caught_by("test_a_message_that_waits_is_shown_as_scheduled")
class ShowsNotForHowLongItWaits(ChangesReleases):
    def changed(self, release):
        return replace(release, delay=2 * release.delay)


@caught_by(
    "test_who_waits_no_more_is_not_freed",
    "test_who_waits_for_a_time_again_is_not_freed",
    "test_who_is_rescheduled_is_not_freed",
    "test_a_message_that_waits_comes_when_its_delay_is_over",
)
class KeepsOldWaiters(MemoryQueue):
    """Has a list of its own of those that wait for a key, and takes off only those that it frees."""

    def __init__(self, name, **options):
        super().__init__(name, **options)
        self.waiters = []

    def settle(self, outcomes):
        settled = super().settle(outcomes)
        self.waiters += [o.delivery.message_id for o in outcomes if isinstance(o, Release) and o.wake]
        self.waiters.sort()
        return settled

    def free(self, wake, new=None, *, ttl=None, limit=1):
        if super().free(wake, new, ttl=ttl, limit=0) is None:
            return None
        freed, self.waiters = self.waiters[:limit], self.waiters[limit:]
        self.requeue(freed)
        return len(freed)


@caught_by("test_what_was_flushed_is_not_freed")
class KeepsWaitersAtAFlush(KeepsOldWaiters):
    pass


@caught_by("test_a_stale_release_does_not_wait")
class LetsStaleReleasesWait(KeepsOldWaiters):
    pass


@caught_by("test_keys_stores_and_queues_are_told_apart")
class TakesKeysForOneAnother(MemoryQueue):
    def __init__(self, name, **options):
        super().__init__(name, **options)
        messages = self._messages
        wait_for, free = messages._wait_for, messages.free
        messages._wait_for = lambda record, key: wait_for(record, (key[0], key[1].strip()))
        messages.free = lambda key, limit: free((key[0], key[1].strip()), limit)


@caught_by("test_keys_stores_and_queues_are_told_apart")
class TakesStoresForOneAnother(MemoryQueue):
    def free(self, wake, new=None, *, ttl=None, limit=1):
        freed = super().free(wake, new, ttl=ttl, limit=limit)
        for store, key in list(self._messages._waiting):
            if key == wake.key and not freed:
                freed += self._messages.free((store, key), limit)
        return freed


@caught_by("test_of_many_who_free_each_frees_another")
class LooksBeforeItFrees(MemoryQueue):
    def free(self, wake, new=None, *, ttl=None, limit=1):
        waiting = self._messages._waiting.get((wake.store.name, wake.key))
        first = waiting.smallest(limit) if waiting else []
        time.sleep(0.01)
        if super().free(wake, new, ttl=ttl, limit=0) is None:
            return None
        return len(self.requeue(first))


@caught_by("test_who_begins_to_wait_while_the_key_is_freed_is_ready")
class LooksAtTheKeyBeforeItWaits(ChangesReleases):
    def changed(self, release):
        kept = release if release.wake.store.peek(release.wake.key) == release.wake.value else None
        time.sleep(0.01)
        return Release(release.delivery) if kept is None else release

    def _without_vain_wait(self, release):
        return release


@caught_by("test_what_is_freed_ends_a_wait")
class SleepsThroughWhatIsFreed(SleepingQueue):
    pass


@caught_by("test_who_watches_the_key_is_told_of_its_new_value")
class TellsNobodyOfTheNewValue(MemoryQueue):
    def free(self, wake, new=None, *, ttl=None, limit=1):
        drawer = wake.store._drawer
        watchers, drawer._watchers = drawer._watchers, {}
        freed = super().free(wake, new, ttl=ttl, limit=limit)
        drawer._watchers = watchers
        return freed


@caught_by("test_a_key_of_another_server_is_refused")
class TakesKeysOfAnyServer(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([replace(o, wake=None) if isinstance(o, Release) else o for o in outcomes])


@caught_by("test_a_key_of_another_server_is_refused")
class SettlesBeforeItLooksAtKeys(MemoryQueue):
    def settle(self, outcomes):
        return [super(SettlesBeforeItLooksAtKeys, self).settle([outcome])[0] for outcome in outcomes]


@caught_by("test_what_is_not_declared_is_refused_by_name")
class FreesAndDoesNotSaySo(MemoryQueue):
    capabilities = MemoryQueue.capabilities - {Capability.WAKE}

    def free(self, wake, new=None, *, ttl=None, limit=1):
        return 0

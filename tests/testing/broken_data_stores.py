"""Data stores that each break one promise."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from unittest.mock import patch

from huey_core.backends.base import EmptyData
from huey_core.backends.capabilities import Capability
from huey_memory import MemoryDataStore
from mutants import caught_by


@caught_by("test_an_absent_key_is_the_one_and_only_empty_data")
class ReturnsNoneForEmpty(MemoryDataStore):
    def get(self, key):
        value = super().get(key)
        return None if value is EmptyData else value


@caught_by("test_a_value_comes_out_as_it_went_in")
class TakesEmptyForAbsent(MemoryDataStore):
    def get(self, key):
        return super().get(key) or EmptyData


@caught_by("test_get_removes_what_it_returns")
class GetLeavesTheValue(MemoryDataStore):
    def get(self, key):
        return self.peek(key)


@caught_by("test_of_many_who_get_a_key_one_does")
class LooksBeforeItRemoves(MemoryDataStore):
    def get(self, key):
        value = self.peek(key)
        time.sleep(0.01)
        super().get(key)
        return value


@caught_by("test_peek_leaves_the_value_or_is_refused_by_name")
class PeekTakesTheValue(MemoryDataStore):
    def peek(self, key):
        return self.get(key)


@caught_by("test_name_and_key_are_not_run_together")
class RunsNameAndKeyTogether(MemoryDataStore):
    def __init__(self, name, **options):
        super().__init__("everything", **options)
        self.prefix = name

    def put(self, key, value, ttl=None):
        super().put(f"{self.prefix}:{key}", value, ttl)

    def get(self, key):
        return super().get(f"{self.prefix}:{key}")


class ChangesKeys(MemoryDataStore):
    def put(self, key, value, ttl=None):
        super().put(self.change(key), value, ttl)

    def get(self, key):
        return super().get(self.change(key))


@caught_by("test_keys_that_look_alike_are_different")
class CutsKeys(ChangesKeys):
    def change(self, key):
        return key[:1024]


@caught_by("test_a_key_that_is_no_unicode_is_refused_or_kept_apart")
class ReplacesWhatIsNoUnicode(ChangesKeys):
    def change(self, key):
        return key.encode("utf-8", "replace").decode()


@caught_by("test_a_value_is_forgotten_after_its_time")
class NeverForgets(MemoryDataStore):
    def put(self, key, value, ttl=None):
        super().put(key, value)


@caught_by("test_what_has_expired_is_removed")
class HidesWhatHasExpired(MemoryDataStore):
    def __init__(self, name, **options):
        super().__init__(name, **options)
        self._drawer.values.portion = 0


@caught_by("test_a_new_put_sets_a_new_time")
class KeepsTheOldTime(MemoryDataStore):
    def put(self, key, value, ttl=None):
        until = self._drawer.values.until(key)
        super().put(key, value, ttl if until is None else until - self.space.clock())


@caught_by("test_replace_if_equal_without_a_time_keeps_the_value_for_ever")
class KeepsTheEndOfWhatItReplaces(MemoryDataStore):
    def replace_if_equal(self, key, old, new, ttl=None):
        until = self._drawer.values.until(key)
        if ttl is None and until is not None:
            ttl = until - self.space.clock()
        return super().replace_if_equal(key, old, new, ttl)


@caught_by("test_of_many_who_put_if_absent_one_does")
class LooksBeforeItPuts(MemoryDataStore):
    def put_if_absent(self, key, value, ttl=None):
        if self.peek(key) is not EmptyData:
            return False
        time.sleep(0.01)
        self.put(key, value, ttl)
        return True


@caught_by("test_several_counters_count")
class CountsTheFirstOnly(MemoryDataStore):
    def increment_many(self, amounts, ttl=None):
        first = next(iter(amounts))
        return dict.fromkeys(amounts, super().increment_many({first: amounts[first]}, ttl)[first])


@caught_by("test_several_counters_count")
class SetsCounters(MemoryDataStore):
    def increment_many(self, amounts, ttl=None):
        for key, amount in amounts.items():
            self.put(key, b"%d" % amount, ttl)
        return dict(amounts)


@caught_by("test_counting_nothing_is_no_error")
class NeedsACounter(MemoryDataStore):
    def increment_many(self, amounts, ttl=None):
        max(amounts)
        return super().increment_many(amounts, ttl)


@caught_by("test_many_counters_of_any_name_are_told_apart")
class CountsAHundredAtATime(MemoryDataStore):
    def increment_many(self, amounts, ttl=None):
        return super().increment_many(dict(list(amounts.items())[:100]), ttl)


@caught_by("test_none_of_several_increments_is_lost")
class LooksBeforeItCountsSeveral(MemoryDataStore):
    def increment_many(self, amounts, ttl=None):
        values = {key: 0 if (value := self.peek(key)) is EmptyData else int(value) for key in amounts}
        time.sleep(0.001)
        totals = {key: values[key] + amount for key, amount in amounts.items()}
        for key, total in totals.items():
            self.put(key, b"%d" % total, ttl)
        return totals


@caught_by("test_several_counters_are_forgotten_after_their_time")
class CountsSeveralForEver(MemoryDataStore):
    def increment_many(self, amounts, ttl=None):
        return super().increment_many(amounts)


@caught_by("test_no_increment_is_lost")
class LooksBeforeItCounts(MemoryDataStore):
    def increment(self, key, amount=1, ttl=None):
        value = self.peek(key)
        time.sleep(0.001)
        total = amount + (0 if value is EmptyData else int(value))
        self.put(key, b"%d" % total, ttl)
        return total


@caught_by("test_a_watcher_is_told_of_a_put")
class TellsNobody(MemoryDataStore):
    def watch(self, key, callback):
        return lambda: None


@caught_by("test_a_watcher_is_told_of_every_write")
class TellsOfPutsAlone(MemoryDataStore):
    def put_if_absent(self, key, value, ttl=None):
        return self.in_silence(super().put_if_absent, key, value, ttl)

    def replace_if_equal(self, key, old, new, ttl=None):
        return self.in_silence(super().replace_if_equal, key, old, new, ttl)

    def increment(self, key, amount=1, ttl=None):
        return self.in_silence(super().increment, key, amount, ttl)

    def in_silence(self, write, *arguments):
        with patch("huey_memory.data_store.call_watchers"):
            return write(*arguments)


@caught_by("test_what_is_declared_works_and_the_rest_is_refused_by_name")
class PretendsToLock(MemoryDataStore):
    capabilities = frozenset()


@caught_by("test_a_callback_that_raises_is_logged_and_harms_nobody")
class LetsCallbacksRaise(MemoryDataStore):
    def put(self, key, value, ttl=None):
        with self._access:
            callbacks = self.put_under_lock(key, value, ttl)
        for callback in callbacks:
            callback()


@caught_by("test_a_callback_that_raises_is_logged_and_harms_nobody")
class LetsCallbacksExit(MemoryDataStore):
    def put(self, key, value, ttl=None):
        with self._access:
            callbacks = self.put_under_lock(key, value, ttl)
        for callback in callbacks:
            with suppress(Exception):
                callback()


@caught_by("test_a_callback_that_raises_is_logged_and_harms_nobody")
class HidesWhatCallbacksRaise(MemoryDataStore):
    def watch(self, key, callback):
        def quietly():
            with suppress(Exception):
                callback()

        return super().watch(key, quietly)


@caught_by("test_a_watch_that_was_ended_is_told_nothing")
class NeverEndsAWatch(MemoryDataStore):
    def watch(self, key, callback):
        super().watch(key, callback)
        return lambda: None


@caught_by("test_parent_and_children_get_their_own_values")
class TakesItsMemoryForADisk(MemoryDataStore):
    """What a backend does that takes no notice of a fork: a child goes on with what it had, by itself."""

    capabilities = MemoryDataStore.capabilities | {Capability.PERSISTENT}


@caught_by("test_a_child_watches_on_its_own")
class WatchesInItsFirstProcessOnly(TakesItsMemoryForADisk):
    def __init__(self, name, **options):
        super().__init__(name, **options)
        self.process = os.getpid()

    def watch(self, key, callback):
        return super().watch(key, callback) if os.getpid() == self.process else lambda: None


@caught_by("test_a_child_that_was_forked_in_c_watches_on_its_own")
class ReliesOnPythonToTellOfForks(TakesItsMemoryForADisk):
    """Begins anew when Python announces a fork, and takes its parent's listener for its own when nobody does."""

    def __init__(self, name, **options):
        super().__init__(name, **options)
        self.listens_in = os.getpid()
        os.register_at_fork(after_in_child=self.begin_anew)

    def begin_anew(self):
        self.listens_in = os.getpid()

    def watch(self, key, callback):
        return super().watch(key, callback) if os.getpid() == self.listens_in else lambda: None

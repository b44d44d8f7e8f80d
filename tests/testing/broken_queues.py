"""Queues that each break one promise."""

from __future__ import annotations

import itertools
import os
import re
import time
from dataclasses import replace
from datetime import UTC, datetime

from huey_core.backends import Reported
from huey_core.backends.capabilities import Capability
from huey_core.backends.messages import Claim, Message, State, Written
from huey_core.backends.outcomes import Ack, Bury, Release, Retry
from huey_memory import MemoryQueue
from mutants import caught_by
from sleeping_queue import SleepingQueue

A_YEAR = 365 * 86400.0


@caught_by("test_messages_come_in_the_order_of_writing")
class LastInFirstOut(MemoryQueue):
    newer = itertools.count()

    def write_many(self, messages):
        return super().write_many([replace(message, priority=next(self.newer)) for message in messages])


@caught_by("test_bytes_come_out_as_they_went_in")
class DropsEmptyMessages(MemoryQueue):
    def write_many(self, messages):
        super().write_many([message for message in messages if message.data])
        return [Written(True, message.message_id) for message in messages]


@caught_by("test_bytes_come_out_as_they_went_in")
class ThinksThatBytesAreText(MemoryQueue):
    def write_many(self, messages):
        return super().write_many([replace(m, data=m.data.decode("utf-8", "replace").encode()) for m in messages])


@caught_by("test_names_that_look_alike_share_nothing")
class SimplifiesNames(MemoryQueue):
    def __init__(self, name, **options):
        super().__init__(re.sub(r"\W", "", name), **options)


@caught_by("test_names_that_look_alike_share_nothing")
class CutsNames(MemoryQueue):
    def __init__(self, name, **options):
        super().__init__(name[:1024], **options)


@caught_by("test_names_that_look_alike_share_nothing")
class EndsNamesAtANul(MemoryQueue):
    def __init__(self, name, **options):
        super().__init__(name.partition("\0")[0], **options)


class ChangesKeys(MemoryQueue):
    def write_many(self, messages):
        return super().write_many([self.changed(message) for message in messages])

    def changed(self, message):
        key = message.unique_key
        return message if key is None else replace(message, unique_key=self.change(key))


@caught_by("test_keys_do_not_touch_each_other")
class CutsKeys(ChangesKeys):
    def change(self, key):
        return key[:1024]


@caught_by("test_keys_do_not_touch_each_other")
class EndsKeysAtANul(ChangesKeys):
    def change(self, key):
        return key.partition("\0")[0]


@caught_by("test_a_key_that_is_no_unicode_is_refused_or_kept_apart")
class ReplacesWhatIsNoUnicode(ChangesKeys):
    def change(self, key):
        return key.encode("utf-8", "replace").decode()


@caught_by("test_ids_that_look_alike_are_different")
class CutsIds(ChangesKeys):
    def changed(self, message):
        return replace(message, message_id=message.message_id[:1024])


@caught_by("test_an_id_that_is_no_unicode_is_refused_or_kept_apart")
class ReplacesWhatIsNoUnicodeInIds(ChangesKeys):
    def changed(self, message):
        return replace(message, message_id=message.message_id.encode("utf-8", "replace").decode())


@caught_by("test_a_flush_leaves_other_queues_alone")
class FlushesTheWholeServer(MemoryQueue):
    def flush(self):
        self.space.clear()


@caught_by("test_what_a_claim_buries_is_named")
class NamesNoDeadLetters(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        return Claim(super().claim(limit, lease, wait).deliveries, [])


@caught_by("test_what_a_claim_buries_is_named")
class WaitsOnWhenItHasBuried(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        deadline = time.monotonic() + wait
        buried = []
        while not (claim := super().claim(limit, lease)).deliveries and time.monotonic() < deadline:
            buried += claim.buried
            time.sleep(0.001)
        return Claim(claim.deliveries, buried + claim.buried)


@caught_by("test_what_a_claim_buries_is_named")
class NamesDeadLettersAgainAndAgain(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        claim = super().claim(limit, lease, wait)
        self.named = getattr(self, "named", []) + claim.buried
        return Claim(claim.deliveries, list(self.named))


@caught_by("test_a_dead_letter_that_was_not_reported_is_named_again")
class NamesDeadLettersOnce(MemoryQueue):
    """As a queue does that keeps them in the process that has buried them."""

    def claim(self, limit, lease, wait=0.0):
        claim = super().claim(limit, lease, wait)
        self.report_done([Reported(message_id) for message_id in claim.buried])
        return claim


@caught_by("test_a_dead_letter_is_named_to_one_consumer_at_a_time")
class NamesDeadLettersToEverybody(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        claim = super().claim(limit, lease, wait)
        return claim._replace(buried=list(self._messages._unreported._keys))


@caught_by("test_a_dead_letter_that_was_reported_is_named_no_more")
class IsNeverDoneWithReports(MemoryQueue):
    def report_done(self, reports):
        pass


@caught_by("test_what_a_consumer_buries_itself_is_not_named")
class NamesEveryDeadLetter(MemoryQueue):
    def settle(self, outcomes):
        settled = super().settle(outcomes)
        for outcome in outcomes:
            if isinstance(outcome, Bury):
                self._messages._unreported.add(outcome.delivery.message_id, (self.now(), 0))
        return settled


@caught_by("test_what_was_deleted_is_not_named")
class NamesWhatWasDeleted(MemoryQueue):
    def delete(self, message_ids):
        unreported = dict(self._messages._unreported._keys)
        deleted = super().delete(message_ids)
        for message_id in deleted:
            self._messages._unreported.add(message_id, unreported[message_id])
        return deleted


@caught_by("test_what_was_requeued_is_named_when_it_is_buried_again")
class NamesWhatWasRequeued(MemoryQueue):
    def requeue(self, message_ids):
        unreported = dict(self._messages._unreported._keys)
        requeued = super().requeue(message_ids)
        for message_id in requeued:
            if message_id in unreported:
                self._messages._unreported.add(message_id, unreported[message_id])
        return requeued


@caught_by("test_what_was_flushed_is_not_named")
class NamesWhatWasFlushed(MemoryQueue):
    def flush(self):
        unreported = dict(self._messages._unreported._keys)
        super().flush()
        for message_id, key in unreported.items():
            self._messages._unreported.add(message_id, key)


@caught_by("test_an_expired_lease_brings_the_message_back")
class ForgetsThatTheLeaseEnds(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        return super().claim(limit, A_YEAR, wait)


@caught_by("test_a_leased_message_is_nobody_elses")
class LeasesNothing(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        return super().claim(limit, 0.0, wait)


@caught_by("test_a_lost_delivery_counts_as_an_attempt")
class CountsNoAttempts(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        claim = super().claim(limit, lease, wait)
        return claim._replace(deliveries=[replace(delivery, attempt=1) for delivery in claim.deliveries])


@caught_by("test_every_claim_has_a_receipt_of_its_own")
class ReceiptIsTheId(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        claim = super().claim(limit, lease, wait)
        for delivery in claim.deliveries:
            delivery.receipt = self._messages._records[delivery.message_id].receipt = delivery.message_id
        return claim


@caught_by("test_every_claim_has_a_receipt_of_its_own")
class ReceiptIsTheAttempt(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        claim = super().claim(limit, lease, wait)
        for delivery in claim.deliveries:
            delivery.receipt = self._messages._records[delivery.message_id].receipt = str(delivery.attempt)
        return claim


@caught_by("test_a_message_that_is_back_and_nobodys_yet_is_not_its_late_consumers")
class HonoursReceiptsOfWhatCameBack(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        records = self._messages._records
        receipts = {message_id: record.receipt for message_id, record in records.items() if record.receipt}
        claim = super().claim(limit, lease, wait)
        for message_id, receipt in receipts.items():
            if records[message_id].state is State.READY:
                records[message_id].receipt = receipt
        return claim


@caught_by("test_too_many_lost_deliveries_bury_the_message")
class NeverBuries(MemoryQueue):
    def __init__(self, name, **options):
        super().__init__(name, **{**options, "max_deliveries": 10**9})


@caught_by("test_a_delayed_message_is_not_early_and_then_there")
class DeliversEarly(MemoryQueue):
    def write_many(self, messages):
        return super().write_many([replace(message, eta=None) for message in messages])


@caught_by("test_the_clock_does_not_go_by_the_local_time_zone")
class GoesByLocalTime(MemoryQueue):
    def now(self):
        return datetime.fromtimestamp(super().now(), UTC).replace(tzinfo=None).timestamp()


@caught_by("test_what_falls_due_by_the_thousand_comes_back_in_portions")
class BringsEverythingBackAtOnce(MemoryQueue):
    def __init__(self, name, **options):
        super().__init__(name, **options)
        self._messages.portion = 10**9


@caught_by("test_what_falls_due_by_the_thousand_comes_back_in_portions")
class LosesWhatDidNotFitIntoThePortion(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        claim = super().claim(limit, lease, wait)
        self.delete([each.message_id for each in self.peek(State.SCHEDULED) if each.due <= self.now()])
        return claim


@caught_by("test_a_due_message_takes_its_place_by_the_order_of_writing")
class DueMessagesQueueUpAgain(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        due = [message for message in self.peek(State.SCHEDULED) if message.due <= self.now()]
        self.delete([message.message_id for message in due])
        super().write_many([Message(message.data, message.message_id) for message in due])
        return super().claim(limit, lease, wait)


@caught_by("test_what_came_back_keeps_its_priority")
class FlattensPriorityOnRelease(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        for record in self._messages._records.values():
            if record.attempt:
                record.rank = (0, record.rank[1])
        return super().claim(limit, lease, wait)


@caught_by("test_writing_an_id_again_changes_nothing")
class WritesEverythingAnew(MemoryQueue):
    def write_many(self, messages):
        ids = [message.message_id for message in messages]
        super().write_many([Message(message.data) for message in messages])
        return [Written(True, message_id) for message_id in ids]


@caught_by("test_a_retry_replaces_the_bytes_under_the_same_id")
class LosesOnRetry(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([Ack(o.delivery) if isinstance(o, Retry) else o for o in outcomes])


@caught_by("test_a_retry_that_keeps_attempts_counts_on")
class ForgetsAttemptsAtEveryRetry(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([replace(o, keep_attempts=False) if isinstance(o, Retry) else o for o in outcomes])


@caught_by("test_a_retry_waits_for_its_delay_and_comes")
class RetriesAtOnce(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([replace(o, delay=0.0) if isinstance(o, Retry) else o for o in outcomes])


@caught_by("test_a_second_ack_is_stale")
class SaysYesToEveryAck(MemoryQueue):
    def settle(self, outcomes):
        super().settle(outcomes)
        return [True] * len(outcomes)


@caught_by("test_a_consumer_that_lost_its_lease_changes_nothing")
class BelievesStaleReceipts(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([replace(o, delivery=self._renewed(o.delivery)) for o in outcomes])

    def _renewed(self, delivery):
        record = self._messages._records.get(delivery.message_id)
        return replace(delivery, receipt=record.receipt) if record else delivery


@caught_by("test_a_consumer_that_lost_its_lease_changes_nothing")
class ExtendsForAnybody(MemoryQueue):
    def extend(self, deliveries, lease):
        super().extend(deliveries, lease)
        return [bool(self.find([delivery.message_id])) for delivery in deliveries]


@caught_by("test_released_deliveries_never_bury")
class CountsReleases(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([Retry(o.delivery, o.delivery.data) if isinstance(o, Release) else o for o in outcomes])

    def claim(self, limit, lease, wait=0.0):
        claim = super().claim(limit, lease, wait)
        self._seen = [*getattr(self, "_seen", []), *claim.deliveries]
        for delivery in claim.deliveries:
            delivery.attempt = sum(seen.message_id == delivery.message_id for seen in self._seen)
        return claim


@caught_by("test_a_released_message_is_at_the_head_at_once")
class ReleasesToTheTail(MemoryQueue):
    def settle(self, outcomes):
        settled = super().settle(outcomes)
        for outcome in outcomes:
            if isinstance(outcome, Release):
                self.delete([outcome.delivery.message_id])
                self.write_many([Message(outcome.delivery.data, outcome.delivery.message_id)])
        return settled


@caught_by("test_a_buried_message_is_kept_with_its_reason")
class ForgetsTheReason(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([replace(o, reason="error") if isinstance(o, Bury) else o for o in outcomes])


@caught_by("test_nothing_is_left_behind")
class KeepsWhatIsDone(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([Bury(o.delivery, "done") if isinstance(o, Ack) else o for o in outcomes])


@caught_by("test_a_key_is_taken_by_the_first_message")
class KnowsNoUniqueKeys(MemoryQueue):
    def write_many(self, messages):
        return super().write_many([replace(message, unique_key=None) for message in messages])


@caught_by("test_the_end_of_the_message_frees_its_key")
class KeepsUniqueKeys(MemoryQueue):
    def write_many(self, messages):
        return super().write_many([replace(message, unique_for=A_YEAR) for message in messages])


@caught_by("test_a_write_of_a_known_id_takes_no_key")
class TakesTheKeysOfDuplicates(MemoryQueue):
    def write_many(self, messages):
        written = super().write_many(messages)
        for message in messages:
            if message.unique_key and self._messages._holder(message, self.now()) is None:
                self._messages._holders.set(message.unique_key, message.message_id, self.now())
        return written


class RequeuesByARuleOfItsOwn(MemoryQueue):
    """Has a rule of its own for a message whose key was taken for a time."""

    def requeue(self, message_ids):
        return [each for each in message_ids if self.requeue_one(self._messages._records.get(each))]

    def requeue_one(self, record):
        return bool(record and super().requeue([record.message.message_id]))


@caught_by("test_a_message_is_requeued_while_its_key_is_its_own_for_a_time")
class RefusesItsOwnKey(RequeuesByARuleOfItsOwn):
    def requeue_one(self, record):
        if record and record.message.unique_for and self._messages._holder(record.message, self.now()):
            return False
        return super().requeue_one(record)


@caught_by("test_a_message_whose_key_had_a_time_is_not_requeued_while_another_has_the_key")
class ForgetsTimedKeysAtARequeue(RequeuesByARuleOfItsOwn):
    def requeue_one(self, record):
        if record and record.message.unique_for:
            record.message = replace(record.message, unique_key=None)
        return super().requeue_one(record)


@caught_by("test_a_requeue_does_not_take_a_key_again_whose_time_is_over")
class TakesTimedKeysAgain(RequeuesByARuleOfItsOwn):
    def requeue_one(self, record):
        if record and record.message.unique_for:
            record.message = replace(record.message, unique_for=None)
        return super().requeue_one(record)


@caught_by("test_keys_whose_time_is_over_are_removed")
class KeepsKeysWhoseTimeIsOver(MemoryQueue):
    def __init__(self, name, **options):
        super().__init__(name, **options)
        self._messages._holders.portion = 0


@caught_by("test_of_many_writers_one_gets_the_key")
class LooksBeforeItWrites(MemoryQueue):
    def write_many(self, messages):
        with self._changed:
            taken = [self._messages._holder(message, self.now()) for message in messages]
        time.sleep(0.01)
        free = [message for message, holder in zip(messages, taken, strict=True) if holder is None]
        super().write_many([replace(message, unique_key=None) for message in free])
        super().write_many([replace(m, message_id=f"key of {m.message_id}", eta=self.now() + A_YEAR) for m in free])
        return [Written(holder is None, holder or m.message_id) for m, holder in zip(messages, taken, strict=True)]


@caught_by("test_looking_changes_nothing")
class LookingRemoves(MemoryQueue):
    def peek(self, state, offset=0, limit=100):
        shown = super().peek(state, offset, limit)
        self.delete([message.message_id for message in shown])
        return shown


@caught_by("test_a_requeue_respects_a_key_that_was_taken_since")
class RequeuesRegardless(MemoryQueue):
    def requeue(self, message_ids):
        for message_id in message_ids:
            record = self._messages._records.get(message_id)
            if record:
                record.message = replace(record.message, unique_key=None)
        return super().requeue(message_ids)


@caught_by("test_deleting_a_running_message_makes_its_receipt_stale")
class CannotDeleteWhatRuns(MemoryQueue):
    def delete(self, message_ids):
        running = {message.message_id for message in self.peek(State.RUNNING)}
        super().delete([message_id for message_id in message_ids if message_id not in running])
        return list(message_ids)


@caught_by("test_a_pause_is_for_every_consumer")
class PausesOnlyItself(MemoryQueue):
    alone = False

    def pause(self):
        self.alone = True

    def resume(self):
        self.alone = False

    def claim(self, limit, lease, wait=0.0):
        return Claim([], []) if self.alone else super().claim(limit, lease, wait)


@caught_by("test_no_message_is_claimed_once_a_pause_has_returned")
class DoesNotWaitForClaimsUnderWay(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        if self._messages.paused:
            return Claim([], [])
        time.sleep(0.01)
        with self._access:
            return Claim(self._messages.take(limit, lease, self.now()), [])


@caught_by("test_an_arrival_ends_the_wait")
class SleepsThroughArrivals(SleepingQueue):
    pass


@caught_by("test_waiting_waits")
class DoesNotWait(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        return super().claim(limit, lease)


@caught_by("test_wake_ends_the_wait")
class CannotBeWoken(MemoryQueue):
    def wake(self):
        pass


@caught_by("test_a_wake_before_the_wait_is_not_lost")
class ForgetsAnEarlyWake(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        self._wakes_answered = self._wakes_called
        return super().claim(limit, lease, wait)


@caught_by("test_random_histories_go_as_the_contract_says", "test_an_extended_lease_ends_too")
class ExtendsToTheLongerLease(MemoryQueue):
    """Only a renewal with a shorter lease than the first goes wrong."""

    def extend(self, deliveries, lease):
        return super().extend(deliveries, max(lease, 30.75))


@caught_by("test_random_histories_go_as_the_contract_says", "test_a_requeued_message_is_in_its_old_place")
class RequeuesToTheTail(MemoryQueue):
    def requeue(self, message_ids):
        requeued = super().requeue(message_ids)
        for message_id in requeued:
            record = self._messages._records[message_id]
            record.rank = (record.rank[0], next(self._messages._serial))
            self._messages._shelves[State.READY].add(message_id, record.rank)
        return requeued


@caught_by("test_a_burial_by_the_claim_frees_the_key")
class KeepsTheKeysOfWhatCrashed(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        dead = {message.message_id for message in self.peek(State.DEAD)}
        claimed = super().claim(limit, lease, wait)
        for message in self.peek(State.DEAD):
            key = self._messages._records[message.message_id].message.unique_key
            if key and message.message_id not in dead:
                self._messages._holders.set(key, message.message_id, self.now())
        return claimed


@caught_by("test_a_delayed_retry_keeps_its_priority")
class FlattensDelayedRetries(MemoryQueue):
    def settle(self, outcomes):
        for outcome in outcomes:
            if isinstance(outcome, Retry) and outcome.delay:
                record = self._messages._records[outcome.delivery.message_id]
                record.rank = (0, record.rank[1])
        return super().settle(outcomes)


@caught_by("test_a_flush_does_not_end_a_pause")
class EndsThePauseWithAFlush(MemoryQueue):
    def flush(self):
        super().flush()
        self.resume()


@caught_by("test_a_retry_that_keeps_attempts_may_pass_the_limit")
class BuriesWhatWasPutBackTooOften(MemoryQueue):
    state = State.READY

    def claim(self, limit, lease, wait=0.0):
        for message in self.peek(self.state):
            if message.attempt >= self.max_deliveries:
                self._messages._bury(self._messages._records[message.message_id], "too often", "", self.now())
        return super().claim(limit, lease, wait)


@caught_by("test_a_delayed_retry_that_keeps_attempts_comes_past_the_limit")
class BuriesWhatWaitedTooOften(BuriesWhatWasPutBackTooOften):
    state = State.SCHEDULED


@caught_by("test_a_message_past_the_limit_is_buried_once_it_is_abandoned")
class BuriesAtTheLimitOnly(MemoryQueue):
    def claim(self, limit, lease, wait=0.0):
        for message in self.peek(State.RUNNING):
            if message.attempt > self.max_deliveries and message.due <= self.now():
                self._messages._move(self._messages._records[message.message_id], State.READY)
        return super().claim(limit, lease, wait)


@caught_by("test_too_many_lost_deliveries_bury_the_message")
class BuriesForAReasonOfItsOwn(MemoryQueue):
    def peek(self, state, offset=0, limit=100):
        return [replace(message, reason="it crashed") for message in super().peek(state, offset, limit)]


@caught_by("test_a_retried_message_keeps_its_place")
class RetriesToTheTail(MemoryQueue):
    def settle(self, outcomes):
        for outcome in outcomes:
            if isinstance(outcome, Retry):
                record = self._messages._records[outcome.delivery.message_id]
                record.rank = (record.rank[0], next(self._messages._serial))
        return super().settle(outcomes)


@caught_by("test_what_comes_after_the_lease_and_before_another_claim_counts_or_is_refused")
class RefusesTheLateAndObeysThem(MemoryQueue):
    def settle(self, outcomes):
        late = {message.message_id for message in self.peek(State.RUNNING) if message.due <= self.now()}
        settled = super().settle(outcomes)
        return [ok and o.delivery.message_id not in late for o, ok in zip(outcomes, settled, strict=True)]


@caught_by(
    "test_parent_and_child_use_one_queue_in_turn",
    "test_parent_and_children_move_each_message_once",
    "test_a_child_that_was_forked_in_c_writes_beside_its_parent",
    "test_forks_amid_threads_that_write_disturb_neither_side",
)
class TakesItsMemoryForADisk(MemoryQueue):
    """What a backend does that takes no notice of a fork: a child goes on with what it had, by itself."""

    capabilities = MemoryQueue.capabilities | {Capability.PERSISTENT}


@caught_by("test_a_child_forked_while_a_claim_waits_can_wait_and_be_woken")
class WakesInItsFirstProcessOnly(TakesItsMemoryForADisk):
    def __init__(self, name, **options):
        super().__init__(name, **options)
        self.process = os.getpid()

    def wake(self):
        if os.getpid() == self.process:
            super().wake()

"""Queues that each break a promise about what goes with an outcome."""

from __future__ import annotations

import time
from dataclasses import replace
from unittest.mock import patch

from huey_core.backends import Ack, Bury, Message, Retry
from huey_memory import MemoryQueue
from mutants import caught_by


@caught_by("test_an_ack_writes_its_result")
class AcksWithoutTheResult(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([replace(o, result=None) if isinstance(o, Ack) else o for o in outcomes])


@caught_by("test_a_stale_ack_writes_neither_result_nor_follow_ups")
class WritesTheResultFirst(MemoryQueue):
    def settle(self, outcomes):
        for outcome in outcomes:
            if isinstance(outcome, Ack) and outcome.result:
                outcome.result.store.put(outcome.result.key, outcome.result.value)
        return super().settle(outcomes)


@caught_by("test_follow_ups_appear_once_and_in_order")
class WritesFollowUpsTwice(MemoryQueue):
    def settle(self, outcomes):
        for outcome in outcomes:
            if isinstance(outcome, Ack):
                self.write_many([Message(message.data) for message in outcome.follow_ups])
        return super().settle(outcomes)


@caught_by("test_who_waits_is_told_of_a_result_that_was_settled")
class TellsNobodyOfResults(MemoryQueue):
    def settle(self, outcomes):
        with patch("huey_memory.queue.call_watchers"):
            return super().settle(outcomes)


@caught_by("test_who_waits_is_told_of_a_result_that_was_settled")
class TellsNobodyWhyItBuried(MemoryQueue):
    def settle(self, outcomes):
        if not any(isinstance(outcome, Bury) for outcome in outcomes):
            return super().settle(outcomes)
        with patch("huey_memory.queue.call_watchers"):
            return super().settle(outcomes)


@caught_by("test_a_result_is_there_when_its_message_is_gone")
class WritesTheResultAfterTheAck(MemoryQueue):
    def settle(self, outcomes):
        settled = super().settle([replace(outcome, result=None) for outcome in outcomes])
        time.sleep(0.01)
        for outcome, ok in zip(outcomes, settled, strict=True):
            if ok and outcome.result:
                outcome.result.store.put(outcome.result.key, outcome.result.value)
        return settled


@caught_by("test_a_message_is_found_with_what_a_key_holds")
class TakesTheResultThatItLooksAt(MemoryQueue):
    def find_with_result(self, message_id, store, key):
        message, _ = super().find_with_result(message_id, store, key)
        return message, store.get(key)


@caught_by("test_of_a_command_that_ends_the_message_or_the_result_is_found")
class LooksAtTheResultFirst(MemoryQueue):
    def find_with_result(self, message_id, store, key):
        value = store.peek(key)
        time.sleep(0.01)
        found = self.find([message_id])
        return (found[0] if found else None), value


@caught_by("test_an_ack_writes_its_result_together_with_its_follow_ups")
class LosesTheResultOfAStep(MemoryQueue):
    def settle(self, outcomes):
        return super().settle([replace(o, result=None) if getattr(o, "follow_ups", ()) else o for o in outcomes])


class HasALimit(MemoryQueue):
    max_message_size = 1000


@caught_by("test_an_outcome_over_the_limit_settles_nothing")
class ChecksNoFollowUps(HasALimit):
    def _check(self, outcome):
        super()._check(replace(outcome, follow_ups=()) if isinstance(outcome, Ack) else outcome)


@caught_by("test_an_outcome_over_the_limit_settles_nothing")
class ChecksNoRetries(HasALimit):
    def _check(self, outcome):
        super()._check(replace(outcome, data=b"") if isinstance(outcome, Retry) else outcome)

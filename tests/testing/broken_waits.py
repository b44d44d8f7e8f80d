"""Queues that each leave a claim asleep when something becomes ready."""

from __future__ import annotations

from contextlib import contextmanager

from huey_core.backends import Retry
from huey_memory import MemoryQueue
from mutants import caught_by


class _Mute:
    """A condition that tells nobody."""

    def notify_all(self):
        pass


class TellsNobody(MemoryQueue):
    @contextmanager
    def silence(self):
        changed, self._changed = self._changed, _Mute
        try:
            yield
        finally:
            self._changed = changed


@caught_by("test_a_batch_ends_the_wait")
class TellsNobodyOfABatch(TellsNobody):
    def write_many(self, messages):
        if len(messages) == 1:
            return super().write_many(messages)
        with self.silence():
            return super().write_many(messages)


@caught_by("test_a_write_with_a_unique_key_ends_the_wait")
class TellsNobodyOfUniqueMessages(TellsNobody):
    def write_many(self, messages):
        if messages[0].unique_key is None:
            return super().write_many(messages)
        with self.silence():
            return super().write_many(messages)


class TellsNobodyOfSomeOutcomes(TellsNobody):
    def is_silent(self, outcome):
        return False

    def settle(self, outcomes):
        if not any(map(self.is_silent, outcomes)):
            return super().settle(outcomes)
        with self.silence():
            return super().settle(outcomes)


@caught_by("test_a_retry_ends_the_wait")
class TellsNobodyOfRetries(TellsNobodyOfSomeOutcomes):
    def is_silent(self, outcome):
        return isinstance(outcome, Retry) and not outcome.delay


@caught_by("test_a_retry_with_a_delay_shortens_the_wait")
class TellsNobodyOfDelayedRetries(TellsNobodyOfSomeOutcomes):
    def is_silent(self, outcome):
        return isinstance(outcome, Retry) and outcome.delay


@caught_by("test_a_follow_up_ends_the_wait")
class TellsNobodyOfFollowUps(TellsNobodyOfSomeOutcomes):
    def is_silent(self, outcome):
        return bool(getattr(outcome, "follow_ups", ()))


@caught_by("test_a_lease_that_was_made_shorter_shortens_the_wait")
class TellsNobodyOfShorterLeases(TellsNobody):
    def extend(self, deliveries, lease):
        with self.silence():
            return super().extend(deliveries, lease)


@caught_by("test_a_requeue_of_a_dead_letter_ends_the_wait", "test_a_requeue_of_a_scheduled_message_ends_the_wait")
class TellsNobodyOfRequeues(TellsNobody):
    def requeue(self, message_ids):
        with self.silence():
            return super().requeue(message_ids)


@caught_by("test_a_resume_ends_the_wait")
class TellsNobodyOfTheEndOfAPause(TellsNobody):
    def resume(self):
        with self.silence():
            super().resume()

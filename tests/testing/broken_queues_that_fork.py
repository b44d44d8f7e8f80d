"""Queues that each break one promise to processes that fork, with the name of the conformance test that finds it."""

from __future__ import annotations

import os

from huey_core.backends.capabilities import Capability
from huey_memory import MemoryQueue


class TakesItsMemoryForADisk(MemoryQueue):
    """What a backend does that takes no notice of a fork: a child goes on with what it had, by itself."""

    caught_by = "test_parent_and_child_use_one_queue_in_turn"

    capabilities = MemoryQueue.capabilities | {Capability.PERSISTENT}


class DoublesWhatItHoldsAtAFork(TakesItsMemoryForADisk):
    caught_by = "test_parent_and_children_move_each_message_once"


class LosesWhatAChildOfAForkInCWrites(TakesItsMemoryForADisk):
    caught_by = "test_a_child_that_was_forked_in_c_writes_beside_its_parent"


class LosesWhatChildrenWrite(TakesItsMemoryForADisk):
    caught_by = "test_forks_amid_threads_that_write_disturb_neither_side"


class WakesInItsFirstProcessOnly(TakesItsMemoryForADisk):
    caught_by = "test_a_child_forked_while_a_claim_waits_can_wait_and_be_woken"

    def __init__(self, name, **options):
        super().__init__(name, **options)
        self.process = os.getpid()

    def wake(self):
        if os.getpid() == self.process:
            super().wake()

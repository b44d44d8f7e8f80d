"""A queue on a machine that is so busy that any call may outlast a lease, to see that the kit bears with it."""

from __future__ import annotations

import functools
import threading

from huey_core.backends.messages import State
from huey_memory import MemoryQueue

PAUSE = 3.0
"""Far more than the kit's short lease, and far less than its long one."""

METHODS = ("write_many", "claim", "settle", "extend", "counts", "peek", "find", "requeue", "delete", "report_done")


class SlowQueue(MemoryQueue):
    """Lets time pass before and after a call now and then, and refuses whatever comes after the end of its lease.

    Args:
        chance: Decides which calls are slow.
    """

    def __init__(self, name, *, clock, chance, **options):
        super().__init__(name, clock=clock, **options)
        self._now = clock

        def pause():
            # What several threads make of their time is for others to test.
            if threading.current_thread() is threading.main_thread() and chance.random() < 0.15:
                clock.advance(PAUSE)

        def slowed(call):
            @functools.wraps(call)
            def slow(*args, **kwargs):
                pause()
                answer = call(*args, **kwargs)
                pause()
                return answer

            return slow

        for method in METHODS:
            setattr(self, method, slowed(getattr(self, method)))

    def settle(self, outcomes):
        in_time = [each for each in outcomes if not self._is_late(each.delivery)]
        settled = dict(zip(map(id, in_time), super().settle(in_time), strict=True))
        return [settled.get(id(each), False) for each in outcomes]

    def extend(self, deliveries, lease):
        return [not self._is_late(each) and super(SlowQueue, self).extend([each], lease)[0] for each in deliveries]

    def _is_late(self, delivery):
        running = [each for each in MemoryQueue.find(self, [delivery.message_id]) if each.state is State.RUNNING]
        return any(each.due <= self._now() for each in running)

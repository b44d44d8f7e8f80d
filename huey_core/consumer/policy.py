"""What a consumer decides by that is no setting, because it suits every application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["POLICY", "Policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Times in seconds, and sizes in bytes.

    Attributes:
        longest_wait: How long one claim may wait in the server; it waits for a third of a lease at the most.
        linger: How long outcomes may come together while workers have enough to do.
        stuck_after: After how long messages are given back that wait here while commands are slow.
        horizon: How much work to prefetch.
        prefetched_bytes: How large the messages may be that are prefetched.
        answers_within: After how long another queue is not waited for that has its turn, and whose server does not
            answer.
        alone: For how long nothing is claimed beside a message on its last delivery, and between two claims that bring
            what may not be beside it.
        parked_outcomes: How many outcomes may be parked before no more is claimed.
        parked_bytes: How large their messages and results may be.
        parked_for: After how long a parked outcome is tried again: time for a server that was just changing over.
        last_steps: What a stop may take beyond its timeout, for giving back what did not finish and for the consumer's
            own threads to end.
        long_run: After how long a running command takes long, so that it is looked whether it was cancelled; and how
            often that is looked at.
        restart_after: After how long a loop is begun again that has raised.
        loads_within: How long a process may take to load the application.
        loop_blocked_after: After how long it is logged what keeps an event loop from running anything else.
        stuck_for: After how long a loop is stuck that was to come round again.
        recycling_look: How long between two looks at how much a consumer has done, and how large it is.
        schedules_look: How long between two looks whether schedules were changed at run time.
        burst_look: How long between two looks whether a burst is over.
    """

    longest_wait: float = 5.0
    linger: float = 0.002
    stuck_after: float = 1.0
    horizon: float = 0.1
    prefetched_bytes: int = 16 * 2**20
    answers_within: float = 0.1
    alone: float = 1.0
    parked_outcomes: int = 250
    parked_bytes: int = 16 * 2**20
    parked_for: float = 1.0
    last_steps: float = 0.3
    long_run: float = 0.5
    restart_after: float = 1.0
    loads_within: float = 60.0
    loop_blocked_after: float = 1.0
    stuck_for: float = 60.0
    recycling_look: float = 0.25
    schedules_look: float = 2.0
    burst_look: float = 0.02


POLICY: Final = Policy()
"""The one that consumers have."""

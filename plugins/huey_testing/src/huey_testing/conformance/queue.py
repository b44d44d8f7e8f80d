"""The promises of queues, in one class to subclass."""

from __future__ import annotations

from huey_testing.conformance._queue_basics import QueueBasics
from huey_testing.conformance._queue_beside import QueueBeside
from huey_testing.conformance._queue_bounds import QueueBounds
from huey_testing.conformance._queue_dead_letters import QueueDeadLetters
from huey_testing.conformance._queue_delivery import QueueDelivery
from huey_testing.conformance._queue_forks import QueueForks
from huey_testing.conformance._queue_freeing import QueueFreeing
from huey_testing.conformance._queue_histories import QueueHistories
from huey_testing.conformance._queue_inspection import QueueInspection
from huey_testing.conformance._queue_joins import QueueJoins
from huey_testing.conformance._queue_pages import QueuePages
from huey_testing.conformance._queue_postponing import QueuePostponing
from huey_testing.conformance._queue_results import QueueResults
from huey_testing.conformance._queue_settle import QueueSettling
from huey_testing.conformance._queue_transfer import QueueImport, QueueRescheduling
from huey_testing.conformance._queue_unique import QueueUniqueness
from huey_testing.conformance._queue_waiting import QueueConcurrency, QueueWaiting
from huey_testing.conformance._queue_waking import QueueWaking

__all__ = ["QueueConformance"]


class QueueConformance(
    QueueBasics,
    QueueDelivery,
    QueueBounds,
    QueueDeadLetters,
    QueueSettling,
    QueuePostponing,
    QueueFreeing,
    QueueJoins,
    QueueBeside,
    QueuePages,
    QueueImport,
    QueueRescheduling,
    QueueResults,
    QueueUniqueness,
    QueueInspection,
    QueueWaiting,
    QueueWaking,
    QueueConcurrency,
    QueueForks,
    QueueHistories,
):
    """Every promise of a queue. Override ``make_queue``; see :mod:`huey_testing.conformance` for the rest."""

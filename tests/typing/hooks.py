"""What a type checker finds in the calls of hooks, which core makes. Nothing runs this file.

Each ``type: ignore`` is a mistake that has to be found: where none is, the comment itself is an error.
"""

from __future__ import annotations

from typing import assert_type

from huey_core import QueueCommand, hookspecs
from huey_core.hookspecs import ConsumerLike, InvokerLike
from huey_core.plugins import PluginManager


def call(plugins: PluginManager, invoker: InvokerLike, consumer: ConsumerLike, command: QueueCommand) -> None:
    plugins.notify(hookspecs.huey_after_enqueue, invoker=invoker, command=command)
    delay = plugins.call(hookspecs.huey_retry_delay, invoker=invoker, command=command, error=OSError())
    assert_type(delay, float | None)
    assert_type(plugins.call_all(hookspecs.huey_consumer_report, consumer=consumer), list[list[str]])
    plugins.call_all(hookspecs.huey_after_claim, invoker=invoker, deliveries=[])

    plugins.notify(hookspecs.huey_after_enqueu, invoker=invoker, command=command)  # type: ignore[attr-defined]
    plugins.notify(hookspecs.huey_after_enqueue, invoker=invoker)  # type: ignore[call-arg]
    plugins.notify(hookspecs.huey_after_enqueue, invoker=invoker, command="add")  # type: ignore[arg-type]
    plugins.notify(hookspecs.huey_worker_start, consumer=consumer, name="worker-1")  # type: ignore[call-arg]
    plugins.call_all(hookspecs.huey_after_claim, invoker=invoker, deliveries=[command])  # type: ignore[list-item]
    plugins.notify(hookspecs.huey_execute, invoker=invoker, command=command)  # type: ignore[arg-type]

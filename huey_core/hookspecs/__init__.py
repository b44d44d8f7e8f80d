"""Every hook that a plugin may implement: when it is called, where, in which thread, and what an exception does.

A plugin is a module or an object whose functions carry :data:`hookimpl` and are named after a specification here; it
may take any subset of the parameters, by name. It is found through the entry-point group ``huey_core.plugins``, or is
passed to ``Invoker(plugins=[...])``.

There are two kinds of hooks:

* **Control** hooks (``@control``) steer: what they return or raise matters, and their exceptions propagate to the
  caller. They may be wrapped (``@hookimpl(wrapper=True)``), which is how timing and tracing are written. Of those that
  return the first result, the first implementation that does not return ``None`` decides, and the rest are not called.
* **Observer** hooks (``@observer``) are notified. Each implementation is called by itself; one that raises is logged
  with its plugin's name and counted, the others are still called, and the command is not harmed; so is one that calls
  ``sys.exit()``. They cannot be wrapped.

Where a hook is said to run "in a worker", it runs in the worker thread that runs the command, and what it takes is
added to the command's time. With ``always_eager`` that is the calling thread. "The worker's" process is the one that
runs commands: the consumer's, unless its worker pool has processes of its own; with ``always_eager`` the caller's.

**Event loops.** With the worker pool ``asyncio``, a hook "in a worker" runs in the event loop if its command is an
``async def``, and must not keep it waiting; for another command it runs in the thread that runs it. Of some control
hooks, marked "may be a coroutine function", an implementation may be an ``async def``. The event loop awaits it, also
for a command that runs in a thread; where there is none, in other pools, with ``always_eager`` and in the consumer's
other threads, it is run to its end in an event loop of its own, as an ``async def`` command is. An implementation that
is not one, but would wait for a server, can have a *twin* beside it in the plugin: an ``async def`` of the same
parameters whose name has ``_async`` added, without a mark. In the event loop that is awaited in place of it. A wrapper
is a generator in any case. Any other ``async def`` is refused when the plugin is registered.

These specifications are the reference: ``docs/generate.py`` makes ``docs/plugins/hooks-reference.md`` of them. Each
begins with "Called when", "before" or "after"; ``When`` says precisely when, ``Process`` and ``Thread`` where, and for
a control hook ``Errors`` what becomes of an exception. What a slow implementation means is an argument of its
decorator, because the log says it too.
"""

from __future__ import annotations

from huey_core.hookspecs.commands import (
    huey_after_claim,
    huey_after_enqueue,
    huey_before_enqueue,
    huey_before_execute,
    huey_command_buried,
    huey_command_cancelled,
    huey_command_expired,
    huey_command_failed,
    huey_command_options,
    huey_command_postponed,
    huey_command_registered,
    huey_command_retried,
    huey_command_revoked,
    huey_command_succeeded,
    huey_execute,
    huey_follow_ups,
    huey_retry_delay,
    huey_store_result,
)
from huey_core.hookspecs.consumer import (
    WARNING,
    huey_consumer_configure,
    huey_consumer_heartbeat,
    huey_consumer_report,
    huey_consumer_start,
    huey_consumer_stop,
    huey_loop_start,
    huey_loop_stop,
    huey_register_commands,
    huey_worker_start,
    huey_worker_stop,
)
from huey_core.hookspecs.declaring import AWAITED, FIRST_RESULT, OBSERVERS, PROJECT, SLOW, TWIN, UNWRAPPED, hookimpl
from huey_core.hookspecs.protocols import ConsumerLike, InvokerLike, PluginsLike

__all__ = [
    "AWAITED",
    "FIRST_RESULT",
    "OBSERVERS",
    "PROJECT",
    "SLOW",
    "TWIN",
    "UNWRAPPED",
    "WARNING",
    "ConsumerLike",
    "InvokerLike",
    "PluginsLike",
    "hookimpl",
    "huey_after_claim",
    "huey_after_enqueue",
    "huey_before_enqueue",
    "huey_before_execute",
    "huey_command_buried",
    "huey_command_cancelled",
    "huey_command_expired",
    "huey_command_failed",
    "huey_command_options",
    "huey_command_postponed",
    "huey_command_registered",
    "huey_command_retried",
    "huey_command_revoked",
    "huey_command_succeeded",
    "huey_consumer_configure",
    "huey_consumer_heartbeat",
    "huey_consumer_report",
    "huey_consumer_start",
    "huey_consumer_stop",
    "huey_execute",
    "huey_follow_ups",
    "huey_loop_start",
    "huey_loop_stop",
    "huey_register_commands",
    "huey_retry_delay",
    "huey_store_result",
    "huey_worker_start",
    "huey_worker_stop",
    "names",
]


def names() -> list[str]:
    """The names of all hooks, in the order in which they are documented."""
    return list(SLOW)

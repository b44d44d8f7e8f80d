"""The invoker ties queue, stores, serializer and plugins together, and runs commands.

What is listed here is public; the modules of this package are not.
"""

from __future__ import annotations

from huey_core.backends.queue_names import STATE_PREFIX
from huey_core.commands.stored_result import decode_result, encode_value, traceback_of_command
from huey_core.features.results import find_result, write_result
from huey_core.invoker.abandoned import report_abandoned
from huey_core.invoker.call_state import CallError, CallInfo, CallStatus
from huey_core.invoker.deferred import DeferredInvoker
from huey_core.invoker.eager import run_until_done, run_what_follows
from huey_core.invoker.invoker import Invoker
from huey_core.invoker.results import AsyncData
from huey_core.invoker.runner import CommandRunner
from huey_core.invoker.schedules.at_run_time import Schedules
from huey_core.invoker.schedules.info import ScheduleInfo, ScheduleState

__all__ = [
    "STATE_PREFIX",
    "AsyncData",
    "CallError",
    "CallInfo",
    "CallStatus",
    "CommandRunner",
    "DeferredInvoker",
    "Invoker",
    "ScheduleInfo",
    "ScheduleState",
    "Schedules",
    "decode_result",
    "encode_value",
    "find_result",
    "report_abandoned",
    "run_until_done",
    "run_what_follows",
    "traceback_of_command",
    "write_result",
]

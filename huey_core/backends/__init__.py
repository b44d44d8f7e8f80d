"""The contract between huey-core and its backends: what a plugin author implements, and what helps with it.

What is listed here is public; the modules of this package are not.
"""

from __future__ import annotations

from huey_core.backends.backend import HUEY_PLUGIN_API, Backend
from huey_core.backends.base import BaseDataStore, BaseQueue, EmptyData, EmptyDataType, call_watchers
from huey_core.backends.capabilities import Capability
from huey_core.backends.deadline import time_left
from huey_core.backends.forking import ForkAware, PerProcess, ProcessLock, randomness
from huey_core.backends.leased import DEFAULT_LEASE, DEFAULT_MAX_DELIVERIES, LeasedQueue, abandoned_reason
from huey_core.backends.messages import (
    MAX_PRIORITY,
    Claim,
    Counts,
    Delivery,
    Message,
    Page,
    Record,
    State,
    StoredGroup,
    StoredMessage,
    Written,
    new_message_id,
)
from huey_core.backends.options import (
    COMMON_OPTIONS,
    DEFAULT_RESULT_TTL,
    Option,
    parse_bool,
    parse_positive_int,
    parse_positive_seconds,
    parse_positive_size,
    parse_seconds,
    parse_size,
    parse_text,
)
from huey_core.backends.outcomes import (
    DEFAULT_GROUP_TTL,
    MAX_DETAIL,
    MAX_REASON,
    Ack,
    Arrival,
    Bury,
    Outcome,
    Release,
    Reported,
    ResultWrite,
    Retry,
    Wake,
    is_final,
    messages_in,
    queues_in,
)
from huey_core.backends.tls import check_tls_files
from huey_core.backends.url import BackendURL

__all__ = [
    "COMMON_OPTIONS",
    "DEFAULT_GROUP_TTL",
    "DEFAULT_LEASE",
    "DEFAULT_MAX_DELIVERIES",
    "DEFAULT_RESULT_TTL",
    "HUEY_PLUGIN_API",
    "MAX_DETAIL",
    "MAX_PRIORITY",
    "MAX_REASON",
    "Ack",
    "Arrival",
    "Backend",
    "BackendURL",
    "BaseDataStore",
    "BaseQueue",
    "Bury",
    "Capability",
    "Claim",
    "Counts",
    "Delivery",
    "EmptyData",
    "EmptyDataType",
    "ForkAware",
    "LeasedQueue",
    "Message",
    "Option",
    "Outcome",
    "Page",
    "PerProcess",
    "ProcessLock",
    "Record",
    "Release",
    "Reported",
    "ResultWrite",
    "Retry",
    "State",
    "StoredGroup",
    "StoredMessage",
    "Wake",
    "Written",
    "abandoned_reason",
    "call_watchers",
    "check_tls_files",
    "is_final",
    "messages_in",
    "new_message_id",
    "parse_bool",
    "parse_positive_int",
    "parse_positive_seconds",
    "parse_positive_size",
    "parse_seconds",
    "parse_size",
    "parse_text",
    "queues_in",
    "randomness",
    "time_left",
]

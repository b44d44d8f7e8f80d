"""What ``huey doctor`` finds out about a server, one of its queues, and the consumers of that queue.

Nothing of the queue is touched: the round trip goes through a scratch queue of its own.
"""

from __future__ import annotations

import secrets
import statistics
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from huey_core.backends.base import EmptyData
from huey_core.backends.capabilities import Capability
from huey_core.backends.leased import LeasedQueue
from huey_core.backends.messages import State, new_message_id
from huey_core.backends.outcomes import Ack, ResultWrite
from huey_core.backends.url import BackendURL
from huey_core.cli.diagnosis import Finding, Level
from huey_core.cli.schedule_checks import check_schedules
from huey_core.exceptions import ConfigurationError, PluginException, QueueException
from huey_core.features.heartbeat import ConsumerRecord, consumers_alive, keeps_heartbeats
from huey_core.features.results import write_result
from huey_core.inspection.messages import MessageFacts
from huey_core.inspection.queues import ready_since
from huey_core.invoker.opened import OpenedBackends
from huey_core.message import MessageHeader
from huey_core.plugins.serializers import serializer as find_serializer
from huey_core.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from huey_core.backends.backend import Backend
    from huey_core.backends.base import BaseDataStore, BaseQueue

__all__ = ["Target", "server_findings"]

_PINGS: Final = 15
_SLOW: Final = 0.05
_CLOCK_TOLERANCE: Final = 1.0
_PATIENCE: Final = 5.0
_SCRATCH_LEASE: Final = 60.0
_SCRATCH_COMMAND: Final = "huey.doctor"
_LISTED: Final = 10
_RUNNING_LISTED: Final = 3
_LONGEST_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class Target:
    """What is looked at: the backend and the queue of the URL, and where the queue's consumers keep their state."""

    backend: Backend
    queue: BaseQueue
    task_store: BaseDataStore


def server_findings(url: str) -> Iterator[Finding]:
    """Make every check of the server and the queue that a URL names. One that does not answer is asked nothing more."""
    opened = OpenedBackends()
    try:
        backend = opened.at(url)
        target = Target(backend, opened.queue(url), opened.task_store(url))
    # What a plugin makes of its URL is its own code.
    except Exception as error:  # noqa: BLE001
        yield Finding("URL", Level.FAIL, _reason(error, url), "fix the URL, or install what serves it")
    else:
        yield Finding("URL", Level.OK, str(backend.url), facts={"url": str(backend.url)})
        yield from _target_findings(target)
    try:
        opened.close()
    except Exception as error:  # noqa: BLE001
        yield Finding("end", Level.WARN, _reason(error, url), "report it to the authors of the plugin")


def check_connection(target: Target) -> Finding:
    """Ask the server whether it answers."""
    milliseconds = _timed(target.backend.ping) * 1000
    sentence = f"the server answers, after {milliseconds:.1f} ms"
    return Finding("connection", Level.OK, sentence, facts={"milliseconds": milliseconds})


def check_server(target: Target) -> Finding:
    """Let the server say what it is."""
    described = target.backend.describe()
    sentence = "; ".join(f"{name} {value}" for name, value in described.items())
    return Finding("server", Level.OK, sentence or "it says nothing about itself", facts=described)


def check_settings(target: Target) -> Finding:
    """Look for settings of the server that endanger messages."""
    warnings = target.backend.warnings()
    if warnings:
        advice = "change them, on the server or in the URL, if the messages matter"
        return Finding("settings", Level.WARN, " ".join(warnings), advice, {"warnings": warnings})
    return Finding("settings", Level.OK, "none is known to endanger messages", facts={"warnings": warnings})


def check_capabilities(target: Target) -> Finding:
    """Say what the backend promises, and what it does not."""
    declared = target.backend.capabilities
    can, lacks = ([each.value for each in Capability if (each in declared) is has] for has in (True, False))
    sentence = f"{', '.join(can) or 'those of a plain queue'}" + (f"; not {', '.join(lacks)}" if lacks else "")
    facts = {"declared": can, "lacking": lacks}
    if Capability.LEASES in declared:
        return Finding("capabilities", Level.OK, sentence, facts=facts)
    advice = "a command that is cut off is lost; use a backend with leases where that matters"
    return Finding("capabilities", Level.WARN, sentence, advice, facts)


def check_latency(target: Target) -> Finding:
    """Measure what a round trip takes."""
    samples = [_timed(target.backend.ping) for _ in range(_PINGS)]
    median, longest = statistics.median(samples), max(samples)
    sentence = f"{median * 1000:.1f} ms a round trip, the longest of {_PINGS} took {longest * 1000:.1f} ms"
    facts = {"median_ms": median * 1000, "longest_ms": longest * 1000}
    if median > _SLOW:
        advice = "run producers and consumers nearer to the server, and enqueue many commands at once"
        return Finding("latency", Level.WARN, sentence, advice, facts)
    return Finding("latency", Level.OK, sentence, facts=facts)


def check_clock(target: Target) -> Finding:
    """Compare the clock that decides about leases and delays with the one of this machine."""
    if not isinstance(target.queue, LeasedQueue):
        return Finding("clock", Level.OK, "every process goes by its own, for the queue has none")
    before = time.time()
    now = target.queue.now()
    # It answered at some time in between, and a pause of this process or of the network is not to be held against it.
    ahead = min(max(0.0, now - time.time()), now - before)
    sentence = f"the queue's is {abs(ahead):.3f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    if abs(ahead) > _CLOCK_TOLERANCE:
        advice = "set the clocks by a time server: an eta that a program computes is off by as much"
        return Finding("clock", Level.WARN, sentence, advice, {"ahead_seconds": ahead})
    return Finding("clock", Level.OK, sentence, facts={"ahead_seconds": ahead})


def check_round_trip(target: Target) -> Finding:
    """Write a command to a scratch queue, claim it, settle it with a result, wait for that, read it, and flush both."""
    name = f"huey-doctor-{secrets.token_hex(8)}"
    queue, store = target.backend.queue(name), target.backend.data_store(name)
    serializer = find_serializer(target.backend.url.options["serializer"])
    message_id = new_message_id()
    encoded = MessageHeader(message_id, _SCRATCH_COMMAND, serializer.name, time.time()).encode()
    message = encoded + serializer.encode([[name], {}], encoded)
    result = serializer.encode(name)
    told = threading.Event()
    began = time.monotonic()
    try:
        is_told = Capability.NOTIFY in store.capabilities
        end_watch = store.watch(message_id, told.set) if is_told else told.set
        queue.write(message)
        read = _run_scratch(queue, store, message_id, result)
        if is_told and read == message:
            told.wait(_PATIENCE)
        end_watch()
        found = store.get(message_id)
    except BaseException:
        # What failed first is what matters: whoever may not write may not flush either.
        with suppress(Exception):
            _flush(queue, store)
        raise
    _flush(queue, store)
    milliseconds = (time.monotonic() - began) * 1000
    facts = {"milliseconds": milliseconds, "serializer": serializer.name}
    if read != message or found is EmptyData or serializer.decode(found) != name:
        lost = "the command" if read != message else "its result"
        sentence = f"{lost} did not come back as it was written"
        return Finding("round trip", Level.FAIL, sentence, _ADVICE["round trip"], facts)
    if not told.is_set():
        sentence = f"whoever waits for a result was not told of it within {_PATIENCE:g} s, though it was there"
        return Finding("round trip", Level.FAIL, sentence, _ADVICE["round trip"], facts)
    sentence = f"a command went through a scratch queue and its result came back, in {milliseconds:.1f} ms"
    return Finding("round trip", Level.OK, sentence, facts=facts)


def check_queue(target: Target) -> Finding:
    """Count the messages of the queue, and say what keeps them."""
    queue = target.queue
    counts = asdict(queue.counts()) if isinstance(queue, LeasedQueue) else {"ready": len(queue)}
    facts = {"queue": queue.name, **counts}
    paused, dead = counts.pop("paused", False), counts.get("dead", 0)
    sentence = f"{queue.name}: {', '.join(f'{n} {state}' for state, n in counts.items())}{', paused' * paused}"
    advice = [f"'huey dead list' shows the dead ({dead})"] * bool(dead) + ["'huey resume' lets it go on"] * paused
    return Finding("queue", Level.WARN if advice else Level.OK, sentence, "; ".join(advice), facts)


def check_consumers(target: Target, alive: Sequence[ConsumerRecord]) -> Finding:
    """Say how many consumers are alive."""
    facts: dict[str, Any] = {"consumers": [asdict(consumer) for consumer in alive]}
    if alive:
        return Finding("consumers", Level.OK, f"{len(alive)} alive", facts=facts)
    sentence = f"nobody that runs the commands of queue {target.queue.name} has a recent heartbeat"
    waited = _waited(target.queue)
    if waited is not None:
        facts["waited_seconds"] = waited
        sentence += f", and a message has waited for {timedelta(seconds=round(waited))}"
    return Finding("consumers", Level.WARN, sentence, "start one: huey consumer main.Configuration", facts)


def check_commands(alive: Sequence[ConsumerRecord]) -> Finding:
    """Look whether every consumer knows every command that one of them knows."""
    known = sorted({command for consumer in alive for command in consumer.commands})
    missing = {consumer.name: lacking for consumer in alive if (lacking := sorted(set(known) - set(consumer.commands)))}
    facts = {"known": known, "missing": missing}
    if missing:
        described = "; ".join(f"{name} does not know {_some(lacking)}" for name, lacking in missing.items())
        advice = "let every consumer of a queue import the same modules, and bring all to the same version"
        return Finding("commands", Level.WARN, described, advice, facts)
    return Finding("commands", Level.OK, f"every consumer knows the same {len(known)}", facts=facts)


def describe_consumer(consumer: ConsumerRecord, target: Target) -> Finding:
    """Say what one consumer is and does."""
    now = target.queue.now() if isinstance(target.queue, LeasedQueue) else time.time()
    age = max(now - consumer.seen, 0.0)
    running = f"{consumer.running}" + (f" ({_what_runs(consumer, target.queue)})" if consumer.running_ids else "")
    queues = f"serves {', '.join(map(repr, consumer.queues))}, " if len(consumer.queues) > 1 else ""
    pool = f" ({consumer.worker_type})" if consumer.worker_type else ""
    sentence = (
        f"huey-core {consumer.version}, {counted(consumer.workers, 'worker')}{pool}, {queues}runs {running}, "
        f"seen {age:.0f} s ago; knows {_some(consumer.commands) or 'no command'}"
    )
    check, facts = f"consumer {consumer.name}", {**asdict(consumer), "seen_seconds_ago": age}
    if consumer.problems:
        sentence += f"; {'; '.join(consumer.problems)}"
        return Finding(check, Level.FAIL, sentence, "look into its log, and start it again", facts)
    if consumer.hook_faults:
        sentence += "".join(f"; {faults}" for faults in consumer.hook_faults)
        advice = "look for the plugin in the consumer's log, and fix or block it"
        return Finding(check, Level.WARN, sentence, advice, facts)
    return Finding(check, Level.OK, sentence, facts=facts)


_CHECKS: Final[dict[str, Callable[[Target], Finding]]] = {
    "connection": check_connection,
    "server": check_server,
    "settings": check_settings,
    "capabilities": check_capabilities,
    "latency": check_latency,
    "clock": check_clock,
    "round trip": check_round_trip,
    "queue": check_queue,
}

_ADVICE: Final = {
    "connection": "look whether the server runs, and whether the URL's host, port, user and password are right",
    "round trip": "no command can run like this; look into the log and the rights of the server",
}


def _target_findings(target: Target) -> Iterator[Finding]:
    for check, look in _CHECKS.items():
        finding = _attempt(check, look, target)
        yield finding
        if check == "connection" and finding.level is Level.FAIL:
            return
    yield from _consumer_findings(target)


def _attempt(check: str, look: Callable[[Target], Finding], target: Target) -> Finding:
    try:
        return look(target)
    except (ConfigurationError, PluginException) as error:
        advice = "no server is at fault: fix what it names, in the URL, the environment or what is installed"
        return Finding(check, Level.FAIL, _shown(error, target.backend.url), advice)
    except Exception as error:  # noqa: BLE001 - a driver may raise anything
        reason = _shown(error, target.backend.url)
        return Finding(check, Level.FAIL, reason, _ADVICE.get(check, "look into the log and the rights of the server"))


def _consumer_findings(target: Target) -> Iterator[Finding]:
    if not keeps_heartbeats(target.task_store):
        yield Finding("consumers", Level.OK, "they write no heartbeat, which needs 'ttl' and 'locks' of the backend")
        return
    alive: list[ConsumerRecord] = []

    def look(target: Target) -> Finding:
        alive.extend(consumers_alive(target.task_store))
        return check_consumers(target, alive)

    yield _attempt("consumers", look, target)
    for consumer in alive:
        yield _attempt(f"consumer {consumer.name}", partial(describe_consumer, consumer), target)
    if alive:
        yield check_commands(alive)
        yield _attempt("schedules", lambda one: check_schedules(one.task_store, one.queue.name, alive), target)


def _run_scratch(queue: BaseQueue, store: BaseDataStore, message_id: str, result: bytes) -> bytes | None:
    """Take the message of the scratch queue, end it with a result, and return its bytes."""
    if not isinstance(queue, LeasedQueue):
        read = queue.read()
        store.put(message_id, result)
        return read
    deliveries = queue.claim(1, _SCRATCH_LEASE, _PATIENCE).deliveries
    if not deliveries:
        return None
    ttl = _SCRATCH_LEASE if Capability.TTL in store.capabilities else None
    write = ResultWrite(store, message_id, result, ttl)
    if queue.settles_into(store):
        settled = queue.settle([Ack(deliveries[0], write)])
    else:
        write_result(write)
        settled = queue.settle([Ack(deliveries[0])])
    return deliveries[0].data if settled == [True] else None


def _flush(queue: BaseQueue, store: BaseDataStore) -> None:
    queue.flush()
    store.flush()


def _timed(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def _reason(error: Exception, url: str) -> str:
    """What an error says, without the password of a URL that may be unreadable."""
    return str(error) if isinstance(error, QueueException) else _shown(error, BackendURL.parse(url))


def _shown(error: Exception, url: BackendURL) -> str:
    """What an error says, without the URL's password, and what a driver says no longer than is of use."""
    if isinstance(error, QueueException):
        return url.hide_password(str(error))
    reason = url.hide_password(f"{type(error).__name__}: {error}")
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."


def _what_runs(consumer: ConsumerRecord, queue: BaseQueue) -> str:
    """The ids of the messages that have run the longest, each with its command where the queue can tell."""
    shown = consumer.running_ids[:_RUNNING_LISTED]
    commands: dict[str, str] = {}
    if isinstance(queue, LeasedQueue) and Capability.INSPECT in queue.capabilities:
        commands = {each.message_id: MessageFacts.read(each).command for each in queue.find(shown)}
    return _and_more([f"{commands.get(each, '')} {each}".strip() for each in shown], consumer.running)


def _waited(queue: BaseQueue) -> float | None:
    """Seconds for which one of the messages that come next has waited for a consumer, the longest of them."""
    if not isinstance(queue, LeasedQueue) or Capability.INSPECT not in queue.capabilities:
        return None
    now = queue.now()
    # What has fallen due, and what a dead consumer had in flight, is ready when a claim comes by.
    since = [each.due for state in (State.SCHEDULED, State.RUNNING) for each in queue.peek(state, 0, 1)]
    since += map(ready_since, queue.peek(State.READY, 0, _LISTED))
    waited = [now - at for at in since if at is not None and at <= now]
    return max(waited, default=None)


def _some(names: Sequence[str]) -> str:
    return _and_more(names[:_LISTED], len(names))


def _and_more(names: Sequence[str], total: int) -> str:
    more = total - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")

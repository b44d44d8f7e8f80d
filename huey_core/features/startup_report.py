"""The start-up report: who it is, what it runs, where, and what its backend cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from huey_core._version import __version__
from huey_core.backends.capabilities import Capability
from huey_core.commands.periodic import is_run_by, periodic_commands
from huey_core.commands.sharing import serializer_conflicts, share_place, store_conflicts
from huey_core.features.heartbeat import consumers_alive, keeps_heartbeats
from huey_core.hookspecs import WARNING, hookimpl
from huey_core.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from huey_core.commands.base import CommandInvoker, PeriodicQueueCommand, QueueCommand
    from huey_core.hookspecs import ConsumerLike, InvokerLike

__all__ = ["StartupReport"]


class StartupReport:
    """Core's lines of the start-up report, given through the hook that plugins use for theirs."""

    @hookimpl(tryfirst=True)
    def huey_consumer_report(self, consumer: ConsumerLike) -> list[str]:
        return [*_what_runs(consumer), *_where(consumer), *_shortcomings(consumer)]


def _what_runs(consumer: ConsumerLike) -> Iterator[str]:
    config, registry = consumer.config, consumer.invoker.registry
    workers = counted(consumer.workers, f"{config.worker_type} worker")
    yield (
        f"huey-core {__version__}, consumer {consumer.name}: {workers}, "
        f"lease {consumer.lease:g} s, shutdown within {config.shutdown_timeout:g} s"
    )
    if len(registry):
        yield f"commands ({len(registry)}): {', '.join(registry)}"
    else:
        yield f"{WARNING}commands (0): none; is the module that defines them imported?"
    yield from _queues(consumer)
    if config.runs_periodic:
        periodic = periodic_commands(registry)
        run_here = [one.command_name for one in periodic if any(is_run_by(one, each) for each in consumer.invokers)]
        yield f"periodic commands ({len(run_here)}): {', '.join(run_here) or 'none'}"
        yield from _run_elsewhere([one for one in periodic if one.command_name not in run_here], consumer.invoker)
    yield f"plugins: {', '.join(consumer.invoker.plugins.names())}"
    yield from _not_obeyed(consumer.invoker)


def _queues(consumer: ConsumerLike) -> Iterator[str]:
    """The queues that are served, where the settings name them, and the commands of others."""
    config, served = consumer.config.serve_queues, [invoker.queue.name for invoker in consumer.invokers]
    if isinstance(config, Mapping):
        shares = ", ".join(f"{name!r} (weight {weight:g})" for name, weight in config.items())
        yield f"queues ({len(served)}), by weight: {shares}"
    elif config is not None:
        yield f"queues ({len(served)}), in strict order: {', '.join(map(repr, served))}"
    elsewhere: dict[str, list[str]] = {}
    for name in consumer.invoker.registry:
        queue = _queue_beside(consumer.invoker.registry.get(name), consumer.invoker)
        if queue is not None and queue not in served:
            elsewhere.setdefault(queue, []).append(name)
    for queue, names in elsewhere.items():
        yield f"commands of the queue {queue!r}, which is not served here: {', '.join(names)}"


def _queue_beside(command_class: type[QueueCommand], invoker: InvokerLike) -> str | None:
    """The queue of a command, if it is known and at the same place as an invoker's; ``None`` where it names none."""
    queue = command_class.defaults.queue
    try:
        home = command_class.invoker
    except Exception:  # noqa: BLE001 - a deferred invoker may be there for callers alone, in a request for example
        return None
    if home is None:
        return queue
    return (queue or home.queue.name) if share_place(home, invoker) else None


def _not_obeyed(invoker: InvokerLike) -> Iterator[str]:
    """The options of commands that were defined for another invoker, or before this one was there to refuse them."""
    for name in invoker.registry:
        options = invoker.registry.get(name).defaults.extra
        if unknown := [option for option in options if invoker.command_options.get(option) is None]:
            yield f"{WARNING}no plugin here offers {', '.join(unknown)}: the command {name} runs as if it did not ask"


def _run_elsewhere(commands: Iterable[type[PeriodicQueueCommand]], here: InvokerLike) -> Iterator[str]:
    """The periodic commands of other queues, a line for each queue: a warning where no consumer of it is seen."""
    by_queue: dict[CommandInvoker, list[type[PeriodicQueueCommand]]] = {}
    for command_class in commands:
        invoker: CommandInvoker = here if command_class.invoker is None else command_class.invoker
        of_queue = invoker.on_queue(command_class.queue_name or invoker.default_queue)
        by_queue.setdefault(of_queue, []).append(command_class)
    for invoker, found in by_queue.items():
        queue = repr(invoker.queue) + (f" at {invoker.backends[0].url}" if invoker.backends else "")
        names, known = [one.command_name for one in found], _known_to_others(invoker)
        unseen = [name for name in names if name not in known]
        if unseen:
            yield (
                f"{WARNING}no known consumer runs these periodic commands of the queue {queue}: {', '.join(unseen)}; "
                "start a consumer of it"
            )
        if len(unseen) < len(names):
            run = ", ".join(name for name in names if name in known)
            yield f"periodic commands that consumers of the queue {queue} run: {run}"


def _known_to_others(invoker: CommandInvoker) -> set[str]:
    """The commands that consumers of an invoker's queue know which run periodic ones, as far as can be seen."""
    store = invoker.task_store
    if store is None or not keeps_heartbeats(store):
        return set()
    try:
        alive = consumers_alive(store)
    except Exception:  # noqa: BLE001 - a driver may raise anything, and this server may be another one
        return set()
    return {name for one in alive if one.periodic for name in one.commands}


def _where(consumer: ConsumerLike) -> Iterator[str]:
    for invoker in consumer.invokers:
        capabilities = sorted(one.value for one in invoker.queue.capabilities)
        yield f"queue: {invoker.queue!r} ({', '.join(capabilities) or 'no capabilities beyond reading and writing'})"
        yield f"results: {invoker.result_store!r}; state: {invoker.task_store!r}"
    invoker = consumer.invoker
    yield f"accepted serializers: {', '.join(sorted(invoker.accepted))}"
    for backend in invoker.backends:
        # Whoever may use a server need not have the right to ask it about itself.
        try:
            details = ", ".join(f"{name} {value}" for name, value in backend.describe().items())
        except Exception as error:  # noqa: BLE001 - a driver may raise anything
            details = f"it cannot be described: {type(error).__name__}"
        yield f"backend: {backend.url}" + (f" ({details})" if details else "")


def _shortcomings(consumer: ConsumerLike) -> Iterator[str]:
    invoker = consumer.invoker
    lacks = set(Capability) - invoker.queue.capabilities
    if Capability.LEASES in lacks:
        yield (
            "this queue has no leases: delivery is at most once, and a command that is cut off is lost; "
            "commands that wait for their time are kept by the consumer, in the task store"
        )
        if invoker.task_store is None:
            yield "there is no task store: commands that wait for their time are lost when the consumer ends"
    if Capability.PERSISTENT in lacks:
        yield (
            "this queue does not declare 'persistent': what waits in it may end with the process that wrote it, and be "
            "seen by that process alone"
        )
    task_store = invoker.task_store
    locks = task_store is not None and Capability.LOCKS in task_store.capabilities
    if not locks:
        if Capability.LEASES in lacks or (consumer.config.runs_periodic and Capability.UNIQUE in lacks):
            yield "the task store has no locks: run one consumer only, or periodic commands and the schedule double"
        yield "commands cannot be revoked: that needs a task store with locks"
    for conflict in (*serializer_conflicts(invoker), *store_conflicts(invoker)):
        yield f"{WARNING}{conflict}"
    unsafe = sorted(name for name, serializer in invoker.accepted.items() if serializer.runs_code)
    if unsafe:
        yield (
            f"{WARNING}whoever can write to this server can run code here: decoding {', '.join(unsafe)} runs what a "
            f"message carries; sign it ({unsafe[0]}|signed)"
        )
    if invoker.result_store is not None and not invoker.results_expire:
        yield "results are kept until they are read, because the result store cannot forget them"
    for backend in invoker.backends:
        try:
            warnings = backend.warnings()
        except Exception as error:  # noqa: BLE001 - as above
            warnings = [f"the settings of {backend.url} cannot be looked at: {type(error).__name__}; try huey doctor"]
        yield from (f"{WARNING}{warning}" for warning in warnings)

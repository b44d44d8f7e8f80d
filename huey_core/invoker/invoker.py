"""The invoker: what an application configures once, and everything it calls goes through."""

from __future__ import annotations

import os
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar, Unpack, overload

from huey_core import hookspecs
from huey_core.backends.base import BaseDataStore, BaseQueue, EmptyData
from huey_core.backends.capabilities import Capability
from huey_core.backends.deadline import time_limit
from huey_core.backends.forking import ProcessLock
from huey_core.backends.messages import Written
from huey_core.backends.options import COMMON_OPTIONS
from huey_core.commands.codec import CommandCodec
from huey_core.commands.option_checks import MAX_SECONDS, seconds
from huey_core.commands.options import OptionTable
from huey_core.commands.registry import CommandRegistry, default_registry
from huey_core.commands.sharing import follow_up_queue
from huey_core.exceptions import (
    ConfigurationError,
    QueueException,
    QueueReadException,
    QueueWriteException,
    Unsupported,
)
from huey_core.features import register_features
from huey_core.invoker.arguments import check_command, check_kind, plugin_of
from huey_core.invoker.eager import run_eagerly
from huey_core.invoker.invoker_in_loop import InvokerInLoop
from huey_core.invoker.opened import OpenedBackends, Parts
from huey_core.invoker.purges import note_purge
from huey_core.invoker.registration import notify_registrations
from huey_core.invoker.results import AsyncData
from huey_core.invoker.schedules.at_run_time import Schedules
from huey_core.invoker.typing import CommandReturning, InvokerSettings, StoreT_co
from huey_core.numbers import check_number
from huey_core.plugins.installed_options import installed_options
from huey_core.plugins.known import KNOWN_OPTIONS
from huey_core.plugins.loading import is_loading
from huey_core.plugins.manager import PluginManager
from huey_core.plugins.serializers import serializer as find_serializer
from huey_core.secret import hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

    from huey_core.backends.messages import Message
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.option import CommandOption
    from huey_core.commands.options import CommandOptions
    from huey_core.serializers.base import Serializer

__all__ = ["Invoker"]


AS_THE_URL_SAYS: Final[Any] = object()
"""The ``result_ttl`` that stands for the option of the queue's URL. ``None`` has a meaning of its own."""

_DEFAULTS: Final = {option.name: option.default for option in COMMON_OPTIONS}


R = TypeVar("R")


class ExactInvoker(Protocol):
    """An :class:`Invoker`, and none of its subclasses: their method does not take every invoker."""

    def _accepts(self, other: Invoker[Any], /) -> None: ...


class Invoker(InvokerInLoop[StoreT_co]):
    """Ties a queue, its stores, a serializer and plugins together.

    Its type says whether it has a result store: of an ``Invoker[BaseDataStore]`` a type checker knows that each call
    returns an :class:`AsyncData`, of a bare ``Invoker`` that it may return ``None``.

    Creating one connects nothing and imports no plugin but those that its URLs name.

    Args:
        queue: Where commands are written: a queue, or a backend URL whose ``queue`` option names it.
        result_store: Where results are kept: a data store, a backend URL, or ``None`` for no results.
        task_store: Where the consumer keeps its own state (schedule, ticks, revocations): a data store, a backend
            URL, or ``None``.
        store_none: Of the original API, and of no effect: that a command returned ``None`` is always stored, so that
            a wait for it ends.
        always_eager: Run every command at once in the caller, for tests and debugging. Commands go through the
            serializer all the same.
        serializer: Writes arguments and results: a serializer, or the name of one, such as ``json``, ``pickle`` or
            ``json|signed``. By default what the queue's URL says, or ``json``.
        accept: The serializers whose messages are read, as objects or by name; only ``serializer`` when ``None``.
        result_ttl: Seconds for which results are kept in a store that can forget; ``None`` keeps them for ever. By
            default what the queue's URL says, or a day.
        lease: Seconds for which a consumer holds a message before it must renew. By default what the queue's URL
            says, or a minute.
        max_body_size: The most bytes of arguments, and of a result, that are written and read: without compression and
            the like, so that a small message cannot take all memory when it is unpacked. By default what the queue's
            URL says, or 17 MiB.
        plugins: Hook implementations (modules or objects) to add to the installed ones. A text ``"no:NAME"`` blocks
            the plugin of that name.
        registry: Where commands are registered and found; the process's default registry when ``None``.
        clock: The time in seconds since the epoch, for tests. By default that of this process, corrected by
            :attr:`clock_offset`.
        check_arguments: Whether a call of a function that does not take its arguments is refused where it is made.

    Attributes:
        command_options: The options that its commands may have: core's, and those of its plugins.
        clock_offset: Seconds by which the queue's clock is ahead of this process's. A consumer measures it, so that a
            command does not expire early or late because a machine's clock is wrong.

    Raises:
        ConfigurationError: A URL, an option or a serializer cannot be used.
    """

    if TYPE_CHECKING:
        # For from_url(): what an object may do says nothing of the class itself.
        def _accepts(self, other: Self, /) -> None: ...

    @overload
    def __init__(
        self: Invoker[None],
        queue: BaseQueue | str,
        result_store: None = None,
        task_store: BaseDataStore | str | None = None,
        store_none: bool = False,
        always_eager: bool = False,
        **settings: Unpack[InvokerSettings],
    ) -> None: ...

    @overload
    def __init__(
        self: Invoker[BaseDataStore],
        queue: BaseQueue | str,
        result_store: str,
        task_store: BaseDataStore | str | None = None,
        store_none: bool = False,
        always_eager: bool = False,
        **settings: Unpack[InvokerSettings],
    ) -> None: ...

    @overload
    def __init__(
        self,
        queue: BaseQueue | str,
        result_store: StoreT_co,
        task_store: BaseDataStore | str | None = None,
        store_none: bool = False,
        always_eager: bool = False,
        **settings: Unpack[InvokerSettings],
    ) -> None: ...

    @overload
    def __init__(
        self: Invoker[BaseDataStore | None],
        queue: BaseQueue | str,
        result_store: BaseDataStore | str | None = None,
        task_store: BaseDataStore | str | None = None,
        store_none: bool = False,
        always_eager: bool = False,
        **settings: Unpack[InvokerSettings],
    ) -> None: ...

    def __init__(
        self,
        queue: BaseQueue | str,
        result_store: BaseDataStore | str | None = None,
        task_store: BaseDataStore | str | None = None,
        store_none: bool = False,
        always_eager: bool = False,
        *,
        serializer: Serializer | str | None = None,
        accept: Iterable[Serializer | str] | None = None,
        result_ttl: float | None = AS_THE_URL_SAYS,
        lease: float | None = None,
        max_body_size: int | None = None,
        plugins: Iterable[Any] = (),
        registry: CommandRegistry | None = None,
        clock: Callable[[], float] | None = None,
        check_arguments: bool = True,
    ) -> None:
        queue, result_store, task_store = map(hidden, (queue, result_store, task_store))
        check_kind("queue", queue, BaseQueue, str)
        check_kind("result_store", result_store, BaseDataStore, str, type(None))
        check_kind("task_store", task_store, BaseDataStore, str, type(None))
        opened = OpenedBackends()
        super().__init__(opened, Parts(opened, queue, result_store, task_store), always_eager, clock)
        self.store_none = store_none
        self.check_arguments = check_arguments
        options = opened.at(queue).url.options if isinstance(queue, str) else _DEFAULTS
        self.result_ttl: float | None = options["result_ttl"] if result_ttl is AS_THE_URL_SAYS else result_ttl
        if self.result_ttl is not None:
            self.result_ttl = seconds("result_ttl", self.result_ttl, least=0.001)
        longest = min(threading.TIMEOUT_MAX, MAX_SECONDS)
        self.lease = seconds("lease", options["lease"] if lease is None else lease, least=0.001, most=longest)
        self.max_body_size: int = options["max_body_size"] if max_body_size is None else max_body_size
        check_number("max_body_size", self.max_body_size, 1, whole=True, what="a number of bytes")
        self.serializer = find_serializer(options["serializer"] if serializer is None else serializer)
        self.accepted: Mapping[str, Serializer] = {
            one.name: one for one in ([self.serializer] if accept is None else map(find_serializer, accept))
        }
        self.registry = default_registry if registry is None else registry
        self.command_options = OptionTable(self._plugin_options, known=KNOWN_OPTIONS)
        self.codec = CommandCodec(
            *(self.registry, self.serializer, self.accepted.values(), self.now, self.max_body_size),
            options=self.command_options,
        )
        self._plugin_arguments = list(plugins)
        self._plugins_lock = ProcessLock()
        self._end_notifications: Callable[[], object] | None = None

    @overload
    @classmethod
    def from_url(cls, url: str, *, result_store: None, **settings: Any) -> Invoker[None]: ...

    @overload
    @classmethod
    def from_url(cls: type[ExactInvoker], url: str, **settings: Any) -> Invoker[BaseDataStore]: ...

    @overload
    @classmethod
    def from_url(cls, url: str, **settings: Any) -> Self: ...

    @classmethod
    def from_url(cls, url: str, **settings: Any) -> Any:
        """Open queue, result store and task store at one URL, over one set of connections.

        Args:
            url: A backend URL, such as ``redis://localhost:6379/0?queue=mail``.
            settings: Further arguments of :class:`Invoker`, which go before the URL's options of the same name;
                ``result_store=None`` keeps no results.

        Raises:
            ConfigurationError: The URL or an option cannot be used, or no plugin for its scheme is installed.
        """
        url = hidden(url)
        return cls(url, **{"result_store": url, "task_store": url, **settings})

    @overload
    @classmethod
    def from_env(cls, variable: str = "HUEY_URL", *, result_store: None, **settings: Any) -> Invoker[None]: ...

    @overload
    @classmethod
    def from_env(cls: type[ExactInvoker], variable: str = "HUEY_URL", **settings: Any) -> Invoker[BaseDataStore]: ...

    @overload
    @classmethod
    def from_env(cls, variable: str = "HUEY_URL", **settings: Any) -> Self: ...

    @classmethod
    def from_env(cls, variable: str = "HUEY_URL", **settings: Any) -> Any:
        """Do what :meth:`from_url` does, with the URL in an environment variable.

        Raises:
            ConfigurationError: The variable is not set, or its URL cannot be used.
        """
        url = hidden(os.environ.get(variable))
        if not url:
            raise ConfigurationError(f"set the environment variable {variable} to a URL, such as redis://localhost/0")
        return cls.from_url(url, **settings)

    @cached_property
    def plugins(self) -> PluginManager:
        """The hooks of core, of the installed plugins and of those given; loaded at first use."""
        if self._main is not None:
            return self._main.plugins
        with self._plugins_lock:
            if "plugins" not in self.__dict__:
                manager = PluginManager(self._plugin_arguments)
                register_features(manager)
                # Before anybody is notified of a command: an observer may ask for the plugins.
                self.__dict__["plugins"] = manager
                self._end_notifications = notify_registrations(self.registry, manager, owner=self)
            return self.__dict__["plugins"]  # type: ignore[no-any-return]

    @cached_property
    def schedules(self) -> Schedules:
        """The schedules of its queue: made, changed, paused and removed at run time, for all consumers.

        Raises:
            Unsupported: The task store cannot keep them, or there is none.
        """
        if self.task_store is None:
            raise Unsupported("schedules at run time need a task store; give the invoker one with task_store=...")
        if Capability.LOCKS not in self.task_store.capabilities:
            raise Unsupported(f"{plugin_of(self.task_store)} has no 'locks', which schedules at run time need")
        return Schedules(self, self.task_store)

    def _plugin_options(self) -> Mapping[str, CommandOption[Any]]:
        if is_loading():
            # The module of a plugin defines commands: until it is complete, nothing that lasts is made of it.
            given = PluginManager(self._plugin_arguments, installed=False)
            return {**installed_options(), **given.options.by_name}
        return self.plugins.options.by_name

    def check_options(self, options: CommandOptions) -> None:
        """Refuse options that the queue, which they may name, cannot honour, when a command is decorated.

        Raises:
            Unsupported: The message names the backend and the option.
            ConfigurationError: None of the plugins offers one of them.
        """
        invoker = self if options.queue is None else self.on_queue(options.queue)
        for needed, option in self.command_options.needs_of(options):
            # What the worker pool must be able to do is known where a consumer starts.
            if isinstance(needed, Capability) and needed not in invoker.queue.capabilities:
                raise Unsupported(f"{plugin_of(invoker.queue)} has no {needed.value!r}, which {option}= needs")
        if options.retry_delay:
            invoker._check_delay("retry_delay")
        if options.store_result and invoker.result_store is None:
            raise Unsupported("store_result=True needs a result store; give the invoker one with result_store=...")
        if options.result_ttl is not None and not invoker.results_expire:
            raise Unsupported("result_ttl= needs a result store that forgets values by itself ('ttl')")

    def check_joins(self, members: Iterable[QueueCommand] = (), then: QueueCommand | None = None) -> None:
        """Refuse groups of commands, of which one is enqueued when the last of the others has ended.

        For a plugin that builds them, where it does: what it would return for ``huey_follow_ups`` is refused too late.
        With ``always_eager`` nothing is refused.

        Args:
            members: The commands of the group, of whichever queues, as they are about to be enqueued with this invoker.
            then: The one that follows them. The group is kept in its queue.

        Raises:
            Unsupported: A queue cannot join them, or cannot write into that of ``then``; the message names it.
            ConfigurationError: The members are in several queues and ``then`` is of none, or it is at another place.
        """
        if self.always_eager:
            return
        homes = {self if (name := member.options.queue) is None else self.on_queue(name) for member in members}
        kept_in = set()
        for home in homes or {self}:
            if Capability.JOINS not in home.queue.capabilities:
                raise Unsupported(
                    f"{plugin_of(home.queue)} has no {Capability.JOINS.value!r}, which groups of commands need"
                )
            if then is not None:
                kept_in.add(follow_up_queue(then, home) or home.queue.name)
        if then is not None and len(kept_in) > 1:
            raise ConfigurationError(
                f"the members of a group are in the queues {', '.join(sorted(kept_in))}, and what follows them, "
                f"{then.command_name}, is of no queue: name one with queue="
            )

    @overload
    def enqueue(self: Invoker[BaseDataStore], command: CommandReturning[Coroutine[Any, Any, R]]) -> AsyncData[R]: ...

    @overload
    def enqueue(self: Invoker[BaseDataStore], command: CommandReturning[R]) -> AsyncData[R]: ...

    @overload
    def enqueue(self, command: CommandReturning[Coroutine[Any, Any, R]]) -> AsyncData[R] | None: ...

    @overload
    def enqueue(self, command: CommandReturning[R]) -> AsyncData[R] | None: ...

    def enqueue(self, command: Any) -> Any:
        """Write a command to the queue: to that which its option ``queue`` names, or else to this invoker's.

        Returns:
            An :class:`AsyncData` with a result store, otherwise ``None``. When a live command has the same unique
            key, nothing is written and the handle is that command's. With ``always_eager``, the command has run: the
            function's own result is returned where there is no result store.

        Raises:
            TypeError: It is no command, or it calls a function with arguments that it does not take.
            CommandRejected: A plugin refused it.
            EncodeError: Its arguments cannot be carried by the serializer, or are larger than ``max_body_size``.
            QueueWriteException: The queue could not be written; it is safe to try again with the same command.
            MessageTooLarge: The backend does not accept a message of this size.
        """
        return self.enqueue_many([command])[0]

    @overload
    def enqueue_many(
        self: Invoker[BaseDataStore], commands: Iterable[CommandReturning[Coroutine[Any, Any, R]]]
    ) -> list[AsyncData[R]]: ...

    @overload
    def enqueue_many(self: Invoker[BaseDataStore], commands: Iterable[CommandReturning[R]]) -> list[AsyncData[R]]: ...

    @overload
    def enqueue_many(
        self, commands: Iterable[CommandReturning[Coroutine[Any, Any, R]]]
    ) -> list[AsyncData[R]] | list[None]: ...

    @overload
    def enqueue_many(self, commands: Iterable[CommandReturning[R]]) -> list[AsyncData[R]] | list[None]: ...

    def enqueue_many(self, commands: Iterable[Any]) -> list[Any]:
        """Write several commands in as few round trips as the backend allows; see :meth:`enqueue`.

        They are written in order. When one is refused by a plugin or cannot be encoded, none is written.

        Of several queues, each gets its commands in order and together, the queue of the first command first. When one
        cannot be written, those before it are: to enqueue the same commands again writes what is missing, and to a
        queue that knows its messages by their ids nothing twice.
        """
        batch = list(commands)
        if self._shared.always_eager:
            self._ask_plugins(batch)
            return [run_eagerly(self, command) for command in batch]
        all_here = self._ask_plugins(batch)
        messages = [self.codec.message(command) for command in batch]
        written = self._write_here(batch, messages) if all_here else self._write_to_several(batch, messages)
        if self.result_store is None:
            return [None] * len(batch)
        seen_at = batch[0].enqueued_at if batch else None
        if all_here:
            return [AsyncData(self, one.message_id, EmptyData, seen_at) for one in written]
        return [
            AsyncData(command.invoker, one.message_id, EmptyData, seen_at)
            for command, one in zip(batch, written, strict=True)
        ]

    def write_many(self, commands: Sequence[QueueCommand]) -> list[Written]:
        """Do what :meth:`enqueue_many` does, never eagerly, and tell which commands were written.

        Returns:
            For each command whether it was written, and the id of the live message: its own, or that of the command
            that it would have doubled.
        """
        return self.write_messages(commands, self.prepare(commands))

    def prepare(self, commands: Sequence[QueueCommand]) -> list[Message]:
        """Do all of an enqueueing but the writing: ask the plugins, and encode.

        With :meth:`write_messages` it is for a caller that must write later, such as when a transaction is committed,
        while what is wrong with a command is to be told at once.

        Raises:
            CommandRejected: A plugin refused a command.
            EncodeError: The arguments of one cannot be carried by the serializer.
        """
        self._ask_plugins(commands)
        return [self.codec.message(command) for command in commands]

    def write_messages(self, commands: Sequence[QueueCommand], messages: Sequence[Message]) -> list[Written]:
        """Write what :meth:`prepare` made of these commands; see :meth:`write_many`."""
        return self._write_to_several(commands, messages)

    def write_here(self, messages: Sequence[Message]) -> list[Written]:
        """Write messages of commands to this queue, whatever queue they name, and tell no plugin.

        Raises:
            QueueWriteException: The queue could not be written.
            MessageTooLarge: The backend does not accept a message of this size; nothing was written.
        """
        try:
            return queue.write_many(messages) if (queue := self.leased_queue) else self._write_plain(messages)
        except QueueException:
            raise
        except Exception as error:
            raise QueueWriteException(f"{plugin_of(self.queue)} could not be written: {error}") from error

    def _write_here(self, commands: Sequence[QueueCommand], messages: Sequence[Message]) -> list[Written]:
        written = self.write_here(messages)
        if self.plugins.has(hookspecs.huey_after_enqueue):
            for command, one in zip(commands, written, strict=True):
                if one.created:
                    self.plugins.notify(hookspecs.huey_after_enqueue, invoker=self, command=command)
        return written

    def _write_to_several(self, commands: Sequence[QueueCommand], messages: Sequence[Message]) -> list[Written]:
        places: dict[str, list[int]] = {}
        for place, message in enumerate(messages):
            places.setdefault(message.queue or self.queue.name, []).append(place)
        written: dict[int, Written] = {}
        for name, found in places.items():
            write = self.on_queue(name)._write_here
            these = write([commands[place] for place in found], [messages[place] for place in found])
            written.update(zip(found, these, strict=True))
        return [written[place] for place in range(len(messages))]

    def _write_plain(self, messages: Sequence[Message]) -> list[Written]:
        """Write messages in their order to a queue without leases, which takes their bytes and nothing else."""
        for message in messages:
            self.queue.write(message.data)
        return [Written(True, message.message_id) for message in messages]

    def _ask_plugins(self, commands: Sequence[QueueCommand]) -> bool:
        """Check commands and have plugins look at them, and say whether this invoker's queue is that of all."""
        before_enqueue = self.plugins.has(hookspecs.huey_before_enqueue)
        check_arguments = self.check_arguments
        all_here = True
        invoker = self
        for command in commands:
            check_command(command, check_arguments)
            if (queue := command.options.queue) is not None:
                invoker = self.on_queue(queue)
                all_here = all_here and invoker is self
            elif not all_here:
                invoker = self
            command.bind_to(invoker)
            if command.eta is not None:
                invoker._check_delay("eta")
            if before_enqueue:
                self.plugins.call_all(hookspecs.huey_before_enqueue, invoker=invoker, command=command)
            if command.enqueued_at is None:
                command.mark_enqueued(self.now())
        return all_here

    def dequeue(self) -> QueueCommand | None:
        """Read one command and forget it (at-most-once delivery), or return ``None`` when the queue is empty.

        The consumer does not use this; it is for programs of the original API that read the queue themselves.

        Raises:
            QueueReadException: The queue could not be read.
            DecodeError: The message could not be read.
            CommandNotFound: The command is not registered.
        """
        try:
            data = self.queue.read()
        except QueueException:
            raise
        except Exception as error:
            raise QueueReadException(f"{plugin_of(self.queue)} could not be read: {error}") from error
        return None if data is None else self.codec.decode(data)

    def result(self, task_id: str) -> AsyncData[Any]:
        """A handle on the result of a call of this queue that was made elsewhere, by its identifier.

        That of a call in another queue is ``invoker.on_queue(name).result(task_id)``.
        """
        return AsyncData(self, task_id)

    def flush(self) -> None:
        """Remove every message of the queue, dead ones included, and tell whoever waits for one of them.

        Raises:
            DataStorePutException: They are gone, and whoever waits could not be told.
        """
        self.queue.flush()
        note_purge(self)

    def close(self, timeout: float | None = None) -> None:
        """Give back the connections of what this invoker opened from URLs, and tell plugins of no further command.

        The invokers of other queues (:meth:`on_queue`) share them: closing one closes all.

        Args:
            timeout: Seconds for drivers to say goodbye to servers that may not answer; ``None`` leaves it to them.
        """
        main = self._main or self
        if main._end_notifications is not None:
            main._end_notifications()
        with time_limit(timeout):
            self._opened.close()

    def _check_delay(self, option: str) -> None:
        if Capability.DELAY not in self.queue.capabilities and self.task_store is None and not self.always_eager:
            raise Unsupported(
                f"{plugin_of(self.queue)} has no 'delay', so {option}= needs a task store for the consumer's schedule"
            )

    def __repr__(self) -> str:
        return f"<Invoker of {self.queue!r}>"

"""An invoker that knows about transactions: what is enqueued in one is written when it is committed.

A command that is written while its transaction is open may run before the rows that it works on can be seen, and runs
although the transaction was rolled back. Waiting for the commit is therefore the default. Its price: a process that
dies between the commit and the write has not enqueued the command. Where that must not happen, write the command in
the transaction (``on_commit=False``), and let it check what it finds.
"""

from __future__ import annotations

import asyncio
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.db import DEFAULT_DB_ALIAS, transaction

from huey_core.commands import Execution
from huey_core.exceptions import ConfigurationError
from huey_core.hookspecs import hookimpl
from huey_core.invoker import AsyncData, Invoker

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from huey_core.backends import Message
    from huey_core.commands import QueueCommand
    from huey_core.consumer import ConsumerConfig

__all__ = ["DjangoInvoker"]


class AsyncCommands:
    """Runs coroutine functions in Django's way: what they ask of a database is done in the thread that runs them.

    It so happens over that thread's connections: in its transaction with ``always_eager``, as in a test, and in the
    consumer over those that are closed after the command.
    """

    @hookimpl(trylast=True)
    def huey_consumer_configure(self, config: ConsumerConfig) -> None:
        if config.worker_type == "asyncio":
            raise ConfigurationError(
                "WORKER_TYPE is 'asyncio', and Django's database connections belong to a thread, not to a task of an "
                "event loop: set it to 'thread' or 'process', where a command may be an async def as well"
            )

    @hookimpl(trylast=True)
    def huey_execute(self, invoker: Invoker, command: QueueCommand) -> Execution | None:
        if not iscoroutinefunction(getattr(command, "function", command.execute)):
            return None

        async def execute() -> Any:
            return await command.execute()

        if _is_in_loop():
            raise SynchronousOnlyOperation(
                f"{command.command_name} is a coroutine function that is to run at once, and its caller runs in an "
                "event loop; call it with: await function.acall(...)"
            )
        try:
            return Execution(async_to_sync(execute)())
        except asyncio.CancelledError as error:
            # Not an Exception, and nobody but the command itself can have asked for it.
            raise RuntimeError("the coroutine was cancelled") from error


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


ASYNC_COMMANDS: Final = AsyncCommands()


class DjangoInvoker(Invoker):
    """An :class:`~huey_core.Invoker` whose commands wait for the commit of the transaction they are enqueued in.

    Args:
        on_commit: For commands that do not say it themselves, in an attribute ``on_commit``: ``True`` waits for a
            transaction of the default database, an alias for one of that database, ``False`` for none.
        plugins: Hook implementations, as for :class:`~huey_core.Invoker`.
        arguments: Those of :class:`~huey_core.Invoker`.
        settings: The named ones.
    """

    def __init__(
        self, *arguments: Any, on_commit: bool | str = True, plugins: Iterable[Any] = (), **settings: Any
    ) -> None:
        # First of all, so that of those who come last only core comes later.
        super().__init__(*arguments, plugins=[ASYNC_COMMANDS, *plugins], **settings)
        self.on_commit = on_commit

    def enqueue_many(self, commands: Iterable[Any]) -> list[Any]:
        """Write commands now, or when the transaction that they belong to is committed.

        What is wrong with a command is told now in either case, and its arguments are taken as they are now. A handle
        of a command that waits has the command's own id, until it is written and proves to be a duplicate: from then on
        the handle is that of the live command.

        With ``always_eager`` commands run at once, whatever the transaction.

        Returns:
            What :meth:`Invoker.enqueue_many` returns; ``None`` for each command without a result store.
        """
        batch = list(commands)
        transactions = [None if self.always_eager else self._transaction_of(command) for command in batch]
        if not any(transactions):
            return super().enqueue_many(batch)
        messages = self.prepare(batch)
        # Each has the invoker of its queue now.
        handles: list[Any] = [AsyncData(command.invoker, command.task_id) for command in batch]
        calls = list(zip(batch, messages, handles, strict=True))
        for alias in dict.fromkeys(transactions):
            these = [call for call, each in zip(calls, transactions, strict=True) if each == alias]
            write = partial(self._write, these)
            if alias is None:
                write()
            else:
                transaction.on_commit(write, using=alias)
        return [None] * len(batch) if self.result_store is None else handles

    async def aenqueue_many(self, commands: Iterable[Any]) -> list[Any]:
        """Do what :meth:`enqueue_many` does without blocking the event loop; see :meth:`Invoker.aenqueue`.

        The transaction that commands wait for is that of the thread in which Django's own async queries are made, as by
        ``sync_to_async``. With ``always_eager`` commands run there, and coroutine functions in the caller's event loop.

        Args:
            commands: The commands. An iterator is asked for them in that thread, too.

        Returns:
            What :meth:`enqueue_many` returns.
        """
        if isinstance(commands, list) and not self.always_eager and not any(map(self._alias_of, commands)):
            return await super().aenqueue_many(commands)
        batch, handles = await sync_to_async(self._enqueue_in_transaction)(commands)
        return await super().aenqueue_many(batch) if handles is None else handles

    def _enqueue_in_transaction(self, commands: Iterable[Any]) -> tuple[list[Any], list[Any] | None]:
        """Return the commands, and their handles if one waits for a commit or they run at once; else do nothing."""
        batch = list(commands)
        belongs_here = self.always_eager or any(map(self._transaction_of, batch))
        return batch, self.enqueue_many(batch) if belongs_here else None

    def _write(self, calls: Sequence[tuple[QueueCommand, Message, AsyncData[Any]]]) -> None:
        commands, messages, handles = zip(*calls, strict=True)
        for command, handle, written in zip(commands, handles, self.write_messages(commands, messages), strict=True):
            handle.task_id = written.message_id
            handle.seen_at = command.enqueued_at

    def _transaction_of(self, command: QueueCommand) -> str | None:
        """The database whose open transaction a command waits for; ``None`` when it is written at once."""
        alias = self._alias_of(command)
        return alias if alias and _is_open(alias) else None

    def _alias_of(self, command: QueueCommand) -> str | None:
        """The database for whose transactions a command waits, if there is one; ``None`` when it waits for none."""
        on_commit = getattr(command, "on_commit", None)
        if on_commit is None:
            on_commit = self.on_commit
        return DEFAULT_DB_ALIAS if on_commit is True else on_commit or None


def _is_open(alias: str) -> bool:
    connection = transaction.get_connection(alias)
    if connection.in_atomic_block:
        return True
    # Without autocommit there is a transaction, too, and Django then says that nothing can wait for its end. Before the
    # first query there is neither, and asking would make the connection.
    return connection.connection is not None and not connection.autocommit

"""From a delivery to its outcome: read the command, run it, and decide how the delivery ends.

Each run has a context of its own (:mod:`contextvars`), a copy of its thread's or, with ``always_eager``, of the
caller's. The command and all hooks around it share it, and the next run sees nothing of it.

Whatever goes wrong inside ends as an outcome, what is no :class:`Exception` included: ``sys.exit()``, the
``CancelledError`` of asyncio. Only ``KeyboardInterrupt`` passes through, and then the delivery has no outcome: its
lease will bring it back.
"""

from __future__ import annotations

import time
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from huey_core import hookspecs
from huey_core.backends.leased import DEFAULT_MAX_DELIVERIES
from huey_core.backends.outcomes import Ack, Outcome, ResultWrite
from huey_core.commands.context import CURRENT
from huey_core.commands.coroutines import EVENT_LOOP
from huey_core.commands.execution import Execution
from huey_core.exceptions import CommandNotFound, SerializationError
from huey_core.invoker.endings import Endings, RunningInvoker, checked_result
from huey_core.invoker.follow_ups import Following, what_follows
from huey_core.invoker.run_log import RunLog
from huey_core.plugins.hook_calls import HooksAtOnce, at_once
from huey_core.settings import ConsumerConfig
from huey_core.workers.interruption import NoInterruption

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Executor

    from huey_core.backends.messages import Delivery, StoredMessage
    from huey_core.commands.base import QueueCommand
    from huey_core.exceptions import CommandInterrupted
    from huey_core.workers.interruption import Interruption

__all__ = ["CommandRunner", "RunningInvoker"]


class CommandRunner:
    """Runs deliveries for one invoker; safe to use from many threads.

    Args:
        invoker: The invoker whose commands they are.
        unreadable_delay: Seconds until a message that cannot be read is looked at again, by this consumer or by one
            that knows the command already.
        unreadable_deliveries: The number of deliveries after which such a message is buried; the queue buries one that
            kills its consumers after as many.
        log_commands: Whether each command that ended is one line of level INFO in the log.
    """

    def __init__(
        self,
        invoker: RunningInvoker,
        unreadable_delay: float = ConsumerConfig.unreadable_delay,
        unreadable_deliveries: int = DEFAULT_MAX_DELIVERIES,
        *,
        log_commands: bool = False,
    ) -> None:
        self._invoker = invoker
        self._unreadable_deliveries = unreadable_deliveries
        self._log = RunLog(invoker.queue.name, log_commands)
        ending = partial(
            Endings,
            invoker,
            log=self._log,
            unreadable_delay=unreadable_delay,
            unreadable_deliveries=unreadable_deliveries,
        )
        self._endings = ending(HooksAtOnce(invoker.plugins))
        self._endings_in_loop = ending(invoker.plugins.in_loop)

    def prepare(self, deliveries: Sequence[Delivery]) -> None:
        """Let plugins see what was claimed, before any of it is run: in the process in which it is.

        Raises:
            Exception: What one of them raised: none may run now.
        """
        invoker = self._invoker
        invoker.plugins.call_all(hookspecs.huey_after_claim, invoker=invoker, deliveries=deliveries)

    def run(self, delivery: Delivery, interruption: Interruption | None = None) -> tuple[Outcome, Execution]:
        """Run the command in a delivery and return how the delivery ends, and what the run came to.

        Args:
            delivery: The delivery.
            interruption: By which the command can be interrupted; ``None`` when it cannot.
        """
        return copy_context().run(self._run, delivery, interruption or NoInterruption())

    def run_command(self, command: QueueCommand, delivery: Delivery) -> tuple[Outcome, Execution]:
        """Run a command that was read already, which cannot be interrupted; see :meth:`run`."""
        return copy_context().run(self._run_command, command, delivery, NoInterruption())

    def interrupted(
        self, delivery: Delivery, error: CommandInterrupted, duration: float = 0.0
    ) -> tuple[Outcome, Execution]:
        """Return how a delivery ends whose run was ended from outside, as if the command had raised.

        Args:
            delivery: The delivery.
            error: What it was to be interrupted with.
            duration: How long it ran, in seconds.
        """
        return copy_context().run(self._interrupted, delivery, error, duration)

    async def run_async(
        self, delivery: Delivery, interruption: Interruption | None = None, *, executor: Executor | None = None
    ) -> tuple[Outcome, Execution]:
        """Do what :meth:`run` does in a task of an event loop, whose context is to be the run's alone.

        Args:
            delivery: The delivery.
            interruption: By which the command can be interrupted; ``None`` when it cannot.
            executor: In whose threads the commands run that are not coroutine functions, with the hooks around them;
                ``None`` for the loop's.
        """
        try:
            command = self._invoker.codec.decode(delivery.data)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - it is logged, whatever it is
            return await self._endings_in_loop.unreadable(delivery, error)
        interruption = interruption or NoInterruption()
        if command.is_coroutine:
            return await self._run_command_async(command, delivery, interruption)
        # Only an event loop calls this, and it takes longer to import than all of this package.
        import asyncio

        loop = asyncio.get_running_loop()
        EVENT_LOOP.set(loop)
        run = partial(copy_context().run, self._run_command, command, delivery, interruption)
        return await loop.run_in_executor(executor, run)

    def error_result(self, delivery: Delivery, error: BaseException) -> ResultWrite | None:
        """Make what tells whoever waits for a command, of which only the message is known, that there is no result.

        ``None`` for a run by the clock, for which nobody waits, and without a result store.
        """
        return self._endings.error_result(delivery, error)

    def what_follows_unread(self, message: Delivery | StoredMessage, error: BaseException) -> Following:
        """Find out what follows a command, of which only the message is known, now that it has ended with an error."""
        return at_once(self._endings.following_in_any_case(None, message, Execution(error=error)))

    def _run(self, delivery: Delivery, interruption: Interruption) -> tuple[Outcome, Execution]:
        try:
            command = self._invoker.codec.decode(delivery.data)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - it is logged, whatever it is
            return at_once(self._endings.unreadable(delivery, error))
        return self._run_command(command, delivery, interruption)

    def _interrupted(self, delivery: Delivery, error: CommandInterrupted, duration: float) -> tuple[Outcome, Execution]:
        try:
            command = self._invoker.codec.decode(delivery.data)
        except (CommandNotFound, SerializationError) as unreadable:
            return at_once(self._endings.unreadable(delivery, unreadable))
        CURRENT.set((command, delivery, self._invoker, NoInterruption()))
        return at_once(self._endings.raised(command, delivery, error, duration))

    def _run_command(
        self, command: QueueCommand, delivery: Delivery, interruption: Interruption
    ) -> tuple[Outcome, Execution]:
        invoker = self._invoker
        plugins = invoker.plugins
        CURRENT.set((command, delivery, invoker, interruption))
        try:
            plugins.call_all(hookspecs.huey_before_execute, invoker=invoker, command=command)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything
            return at_once(self._endings.not_to_run(command, delivery, error))
        if delivery.attempt > 1:
            self._warn_of_redelivery(command, delivery)
        started = time.perf_counter()
        try:
            execution = plugins.call(hookspecs.huey_execute, invoker=invoker, command=command)
            if not isinstance(execution, Execution) or execution.error is not None:
                raise _error_of(execution)
            result = checked_result(
                plugins.call(hookspecs.huey_store_result, invoker=invoker, command=command, execution=execution)
            )
            outcome = Ack(delivery, result)
            if plugins.has(hookspecs.huey_follow_ups) or command.end_run():
                following = what_follows(invoker, command, execution, delivery.message_id, command.headers)
                outcome = Ack(delivery, result, *following)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a command may raise anything
            return at_once(self._endings.raised(command, delivery, error, time.perf_counter() - started))
        if self._log.log_commands:
            self._log.ended("succeeded", command, delivery, execution.duration)
        plugins.notify(hookspecs.huey_command_succeeded, invoker=invoker, command=command, execution=execution)
        return outcome, execution

    async def _run_command_async(
        self, command: QueueCommand, delivery: Delivery, interruption: Interruption
    ) -> tuple[Outcome, Execution]:
        invoker = self._invoker
        plugins = invoker.plugins
        hooks, endings = plugins.in_loop, self._endings_in_loop
        CURRENT.set((command, delivery, invoker, interruption))
        try:
            await hooks.call_all(hookspecs.huey_before_execute, invoker=invoker, command=command)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything
            return await endings.not_to_run(command, delivery, error)
        if delivery.attempt > 1:
            self._warn_of_redelivery(command, delivery)
        started = time.perf_counter()
        try:
            execution = await hooks.call(hookspecs.huey_execute, invoker=invoker, command=command)
            if not isinstance(execution, Execution) or execution.error is not None:
                raise _error_of(execution)
            if (reporter := command.progress_reporter) is not None:
                await reporter.end_in_loop()
            result = checked_result(
                await hooks.call(hookspecs.huey_store_result, invoker=invoker, command=command, execution=execution)
            )
            outcome = Ack(delivery, result)
            if plugins.has(hookspecs.huey_follow_ups) or command.end_run():
                following = await endings.following(command, execution, delivery.message_id, command.headers)
                outcome = Ack(delivery, result, *following)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a command may raise anything
            if (reporter := command.progress_reporter) is not None:
                await reporter.end_in_loop()
            return await endings.raised(command, delivery, error, time.perf_counter() - started)
        if self._log.log_commands:
            self._log.ended("succeeded", command, delivery, execution.duration)
        plugins.notify(hookspecs.huey_command_succeeded, invoker=invoker, command=command, execution=execution)
        return outcome, execution

    def _warn_of_redelivery(self, command: QueueCommand, delivery: Delivery) -> None:
        # In the log before the command runs: if it is what kills its consumers, there is no later moment.
        self._log.of(delivery, command).warning(
            "%s is in delivery %d, because none before had an outcome: its consumer was killed, lost the lease, or "
            "could not decode it; after %d such deliveries it becomes a dead letter",
            *(command, delivery.attempt, self._unreadable_deliveries),
        )


def _error_of(execution: Any) -> BaseException:
    if isinstance(execution, Execution) and execution.error is not None:
        # Of a plugin that runs commands elsewhere: returned, the error would be taken for a success.
        return execution.error
    return TypeError(
        f"a plugin's huey_execute returned {execution!r}, which is not Execution; a wrapper must return what it got "
        "from yield"
    )

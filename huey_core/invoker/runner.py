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
from typing import TYPE_CHECKING, Any, Final, Protocol

from huey_core import hookspecs
from huey_core.backends.capabilities import Capability
from huey_core.backends.leased import DEFAULT_MAX_DELIVERIES
from huey_core.backends.outcomes import Ack, Bury, Outcome, Release, ResultWrite, Retry
from huey_core.commands.context import CURRENT, log_fields
from huey_core.commands.execution import Execution
from huey_core.commands.option_checks import MAX_SECONDS
from huey_core.commands.stored_result import encode_error, format_error, traceback_of_command
from huey_core.exceptions import (
    CommandExpired,
    CommandNotFound,
    CommandPostponed,
    CommandRevoked,
    EncodeError,
    SerializationError,
)
from huey_core.features.results import result_of, result_write
from huey_core.invoker.follow_ups import NOTHING, FollowedInvoker, Following, what_follows
from huey_core.invoker.tick_dead_letters import command_of_tick
from huey_core.message import read_header
from huey_core.safe_logging import get_logger
from huey_core.settings import ConsumerConfig
from huey_core.text import error_line, error_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from huey_core.backends.messages import Delivery
    from huey_core.backends.outcomes import Wake
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.codec import CommandCodec
    from huey_core.safe_logging import SafeLogger

__all__ = ["CommandRunner", "RunningInvoker"]

log: Final = get_logger(__name__)

LEAST_POSTPONEMENT: Final = 0.01
"""Seconds for which a command is postponed at the least.

It keeps its place in the order: one that came back at once would be claimed again before all that wait behind it.
"""


class RunningInvoker(FollowedInvoker, Protocol):
    """What is needed of an invoker to run its commands."""

    codec: CommandCodec


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
        self._unreadable_delay = unreadable_delay
        self._unreadable_deliveries = unreadable_deliveries
        self._log_commands = log_commands

    def prepare(self, deliveries: Sequence[Delivery]) -> None:
        """Let plugins see what was claimed, before any of it is run: in the process in which it is.

        Raises:
            Exception: What one of them raised: none may run now.
        """
        invoker = self._invoker
        invoker.plugins.call_all(hookspecs.huey_after_claim, invoker=invoker, deliveries=deliveries)

    def run(self, delivery: Delivery) -> tuple[Outcome, Execution]:
        """Run the command in a delivery and return how the delivery ends, and what the run came to."""
        return copy_context().run(self._run, delivery)

    def run_command(self, command: QueueCommand, delivery: Delivery) -> tuple[Outcome, Execution]:
        """Run a command that was read already; see :meth:`run`."""
        return copy_context().run(self._run_command, command, delivery)

    def error_result(self, delivery: Delivery, error: BaseException) -> ResultWrite | None:
        """Make what tells whoever waits for a command, of which only the message is known, that there is no result.

        ``None`` for a run by the clock, for which nobody waits, and without a result store.
        """
        invoker = self._invoker
        if invoker.result_store is None or command_of_tick(delivery.data) is not None:
            return None
        task_id = delivery.message_id
        return result_write(invoker, task_id, encode_error(invoker.serializer, task_id, error))

    def what_follows_unread(self, delivery: Delivery, error: BaseException) -> Following:
        """Find out what follows a command, of which only the message is known, now that it has ended with an error."""
        return self._following_in_any_case(None, delivery, Execution(error=error))

    def _run(self, delivery: Delivery) -> tuple[Outcome, Execution]:
        try:
            command = self._invoker.codec.decode(delivery.data)
        except (CommandNotFound, SerializationError) as error:
            return self._unreadable(delivery, error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - it is logged, whatever it is
            self._log(delivery).exception("message %s could not be decoded", delivery.message_id)
            return self._unreadable(delivery, error)
        return self._run_command(command, delivery)

    def _run_command(self, command: QueueCommand, delivery: Delivery) -> tuple[Outcome, Execution]:
        invoker = self._invoker
        plugins = invoker.plugins
        CURRENT.set((command, delivery, invoker.queue.name))
        try:
            plugins.call_all(hookspecs.huey_before_execute, invoker=invoker, command=command)
        except (CommandRevoked, CommandExpired) as error:
            return self._dropped(command, delivery, error)
        except CommandPostponed as error:
            return self._postponed(command, delivery, error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything
            return self._raised(command, delivery, error, 0.0)
        if delivery.attempt > 1:
            # In the log before the command runs: if it is what kills its consumers, there is no later moment.
            self._log(delivery, command).warning(
                "%s is in delivery %d, because none before had an outcome: its consumer was killed, lost the lease, or "
                "could not decode it; after %d such deliveries it becomes a dead letter",
                *(command, delivery.attempt, self._unreadable_deliveries),
            )
        started = time.perf_counter()
        try:
            execution = plugins.call(hookspecs.huey_execute, invoker=invoker, command=command)
            if not isinstance(execution, Execution):
                raise TypeError(
                    f"a plugin's huey_execute returned {execution!r}, which is not Execution; a wrapper must return "
                    "what it got from yield"
                )
            if execution.error is not None:
                # Of a plugin that runs commands elsewhere: returned, the error would be taken for a success.
                raise execution.error
            result = self._result_of(command, execution)
            outcome = Ack(delivery, result)
            if command.follow_ups or plugins.has(hookspecs.huey_follow_ups):
                following = what_follows(invoker, command, execution, delivery.message_id, command.headers)
                outcome = Ack(delivery, result, *following)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - a command may raise anything
            return self._raised(command, delivery, error, time.perf_counter() - started)
        if self._log_commands:
            self._log_end("succeeded", command, delivery, execution.duration)
        plugins.notify(hookspecs.huey_command_succeeded, invoker=invoker, command=command, execution=execution)
        return outcome, execution

    def _dropped(
        self, command: QueueCommand, delivery: Delivery, error: CommandRevoked | CommandExpired
    ) -> tuple[Outcome, Execution]:
        self._log(delivery, command).info("%s", error)
        revoked = isinstance(error, CommandRevoked)
        hook = hookspecs.huey_command_revoked if revoked else hookspecs.huey_command_expired
        self._invoker.plugins.notify(hook, invoker=self._invoker, command=command)
        execution = Execution(error=error, dropped=True)
        result = self._result_in_any_case(command, delivery, execution)
        return Ack(delivery, result, *self._following_in_any_case(command, delivery, execution)), execution

    def _postponed(
        self, command: QueueCommand, delivery: Delivery, error: CommandPostponed
    ) -> tuple[Outcome, Execution]:
        invoker = self._invoker
        delay = min(max(error.delay, LEAST_POSTPONEMENT), MAX_SECONDS)
        self._log(delivery, command).debug("%s is postponed by %g s", command, delay)
        invoker.plugins.notify(hookspecs.huey_command_postponed, invoker=invoker, command=command, delay=delay)
        return Release(delivery, delay, self._usable(error.wake)), Execution(error=error)

    def _usable(self, wake: Wake | None) -> Wake | None:
        """What a message is to wait for beside its delay, if its queue can do that."""
        queue = self._invoker.leased_queue
        if wake is None or queue is None or Capability.WAKE not in queue.capabilities:
            return None
        return wake if queue.settles_into(wake.store) else None

    def _raised(
        self, command: QueueCommand, delivery: Delivery, error: BaseException, duration: float
    ) -> tuple[Outcome, Execution]:
        log = self._log(delivery, command, duration)
        delay = self._retry_delay(command, delivery, error)
        if delay is not None:
            try:
                data = self._invoker.codec.encode_retry(command)
            except KeyboardInterrupt:
                raise
            except BaseException:
                log.exception(
                    "%s has changed its arguments into something that cannot be encoded, so it is not retried", command
                )
            else:
                log.info("%s raised %s, retrying in %.3g s", command, error_line(error), delay)
                self._invoker.plugins.notify(
                    hookspecs.huey_command_retried, invoker=self._invoker, command=command, error=error, delay=delay
                )
                return Retry(delivery, data, delay), Execution(error=error, duration=duration)
        execution = Execution(error=error, duration=duration, traceback=format_error(error))
        log.error("%s failed", command, exc_info=(type(error), error, traceback_of_command(error)))
        if self._log_commands:
            self._log_end("failed", command, delivery, duration)
        self._invoker.plugins.notify(hookspecs.huey_command_failed, invoker=self._invoker, command=command, error=error)
        result = self._result_in_any_case(command, delivery, execution)
        following = self._following_in_any_case(command, delivery, execution)
        if not command.options.keep_failed:
            return Ack(delivery, result, *following), execution
        self._notify_buried(command, delivery, reason := error_line(error))
        return Bury(delivery, reason, execution.traceback, result, *following), execution

    def _retry_delay(self, command: QueueCommand, delivery: Delivery, error: BaseException) -> float | None:
        try:
            if isinstance(error, EncodeError):
                # The command has done its work; its result will be no easier to write next time.
                return None
            delay = self._invoker.plugins.call(
                hookspecs.huey_retry_delay, invoker=self._invoker, command=command, error=error
            )
            if delay is None or isinstance(delay, float | int):
                return delay
            raise _wrong_answer("huey_retry_delay", delay, "float")
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - it is logged, whatever it is
            self._log(delivery, command).exception("whether to retry %s could not be decided, so it is not", command)
            return None

    def _unreadable(self, delivery: Delivery, error: BaseException) -> tuple[Outcome, Execution]:
        execution = Execution(error=error)
        reason, delay = error_text(error), self._unreadable_delay
        log = self._log(delivery)
        if delivery.attempt < self._unreadable_deliveries:
            log.warning("message %s cannot be decoded, retrying in %g s: %s", delivery.message_id, delay, reason)
            return Retry(delivery, delivery.data, delay, keep_attempts=True), execution
        log.error("message %s becomes a dead letter: %s", delivery.message_id, reason)
        result, following = self.error_result(delivery, error), self.what_follows_unread(delivery, error)
        self._notify_buried(None, delivery, reason)
        return Bury(delivery, reason, format_error(error), result, *following), execution

    def _notify_buried(self, command: QueueCommand | None, delivery: Delivery, reason: str) -> None:
        invoker, message_id = self._invoker, delivery.message_id
        invoker.plugins.notify(
            hookspecs.huey_command_buried, invoker=invoker, command=command, message_id=message_id, reason=reason
        )

    def _result_of(self, command: QueueCommand, execution: Execution) -> ResultWrite | None:
        result = self._invoker.plugins.call(
            hookspecs.huey_store_result, invoker=self._invoker, command=command, execution=execution
        )
        if result is None or isinstance(result, ResultWrite):
            return result
        raise _wrong_answer("huey_store_result", result, "ResultWrite")

    def _result_in_any_case(
        self, command: QueueCommand, delivery: Delivery, execution: Execution
    ) -> ResultWrite | None:
        try:
            return self._result_of(command, execution)
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - it is logged, whatever it is
            self._log(delivery, command).exception("the result of %s could not be made", command)
        try:
            # It has ended all the same, and somebody may wait for that.
            return result_of(self._invoker, command, execution)
        except Exception:  # noqa: BLE001 - it is logged, whatever it is
            self._log(delivery, command).exception(
                "the result of %s could not be made without plugins either, so none is stored", command
            )
            return None

    def _following_in_any_case(
        self, command: QueueCommand | None, delivery: Delivery, execution: Execution
    ) -> Following:
        """Find out what follows a command that has ended without success: nothing, when that fails."""
        invoker = self._invoker
        if not invoker.plugins.has(hookspecs.huey_follow_ups):
            return NOTHING
        try:
            headers = read_header(delivery.data).headers if command is None else command.headers
            return what_follows(invoker, command, execution, delivery.message_id, headers)
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - it is logged, whatever it is
            self._log(delivery, command).exception(
                "what follows message %s could not be found out, so nothing does", delivery.message_id
            )
            return NOTHING

    def _log_end(self, outcome: str, command: QueueCommand, delivery: Delivery, duration: float) -> None:
        self._log(delivery, command, duration).info("%s %s after %.3f s", command, outcome, duration)

    def _log(
        self, delivery: Delivery, command: QueueCommand | None = None, duration: float | None = None
    ) -> SafeLogger:
        name = None if command is None else command.command_name
        return log.with_fields(**log_fields(self._invoker.queue.name, delivery, name, duration))


def _wrong_answer(hook: str, answer: Any, kind: str) -> TypeError:
    return TypeError(f"a plugin's {hook} returned {answer!r}, which is not {kind} or None")

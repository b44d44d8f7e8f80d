"""How a delivery ends whose command was not run to a success: what is unreadable, dropped, postponed, or has raised.

It is written once for runs in a thread and for those in an event loop: what calls control hooks is a coroutine, which
a thread runs to its end at once (:mod:`huey_core.plugins.hook_calls`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from huey_core import hookspecs
from huey_core.backends.capabilities import Capability
from huey_core.backends.outcomes import Ack, Bury, Outcome, Release, ResultWrite, Retry
from huey_core.commands.context import CURRENT
from huey_core.commands.execution import Execution
from huey_core.commands.option_checks import MAX_SECONDS
from huey_core.commands.stored_result import encode_error, format_error, traceback_of_command
from huey_core.exceptions import (
    CommandCancelled,
    CommandExpired,
    CommandInterrupted,
    CommandNotFound,
    CommandPostponed,
    CommandRetry,
    CommandRevoked,
    CommandTimeout,
    DeliveryLost,
    EncodeError,
    SerializationError,
)
from huey_core.features.results import result_of, result_write, run_of_message
from huey_core.invoker.follow_ups import NOTHING, FollowedInvoker, Following, following
from huey_core.invoker.tick_dead_letters import schedule_of_tick
from huey_core.message import read_header
from huey_core.text import cause_of, error_line, error_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from huey_core.backends.messages import Delivery, StoredMessage
    from huey_core.backends.outcomes import Wake
    from huey_core.commands.base import QueueCommand
    from huey_core.commands.codec import CommandCodec
    from huey_core.invoker.run_log import RunLog
    from huey_core.plugins.hook_calls import HookCalls

__all__ = ["Endings", "RunningInvoker", "checked_result"]

LEAST_POSTPONEMENT: Final = 0.01
"""Seconds for which a command is postponed at the least, or put back that asks to be tried again.

It keeps its place in the order: one that came back at once would be claimed again before all that wait behind it.
"""


class RunningInvoker(FollowedInvoker, Protocol):
    """What is needed of an invoker to run its commands."""

    codec: CommandCodec


@dataclass(frozen=True, slots=True)
class Endings:
    """Decides about the deliveries of one invoker that do not end as a success.

    Attributes:
        invoker: The invoker.
        hooks: How control hooks are called.
        log: Where it is logged.
        unreadable_delay: Seconds until a message that cannot be read is looked at again.
        unreadable_deliveries: The number of deliveries after which it is buried.
    """

    invoker: RunningInvoker
    hooks: HookCalls
    log: RunLog
    unreadable_delay: float
    unreadable_deliveries: int

    async def unreadable(self, delivery: Delivery, error: BaseException) -> tuple[Outcome, Execution]:
        """End the delivery of a message that cannot be read."""
        execution = Execution(error=error)
        reason, delay = error_text(error), self.unreadable_delay
        log = self.log.of(delivery)
        if not isinstance(error, CommandNotFound | SerializationError):
            log.error("message %s could not be decoded", delivery.message_id, exc_info=error)
        if delivery.attempt < self.unreadable_deliveries:
            log.warning("message %s cannot be decoded, retrying in %g s: %s", delivery.message_id, delay, reason)
            return Retry(delivery, delivery.data, delay, keep_attempts=True), execution
        log.error("message %s becomes a dead letter: %s", delivery.message_id, reason)
        result = self.error_result(delivery, error)
        following = await self.following_in_any_case(None, delivery, execution)
        self._notify_buried(None, delivery, reason)
        return Bury(delivery, reason, format_error(error), result, *following), execution

    async def not_to_run(
        self, command: QueueCommand, delivery: Delivery, error: BaseException
    ) -> tuple[Outcome, Execution]:
        """End the delivery of a command before whose run a plugin has raised."""
        match error:
            case CommandRevoked() | CommandExpired():
                return await self._dropped(command, delivery, error)
            case CommandPostponed():
                return self._postponed(command, delivery, error)
            case _:
                return await self.raised(command, delivery, error, 0.0)

    async def raised(
        self, command: QueueCommand, delivery: Delivery, error: BaseException, duration: float
    ) -> tuple[Outcome, Execution]:
        """End the delivery of a command that has raised after so many seconds."""
        command.end_run()
        log = self.log.of(delivery, command, duration)
        # By its type, for whatever a command raises may answer anything for its attributes, __class__ among them. What
        # was cancelled ends as that, too, when it has made another error of it.
        asked = CURRENT.get()[3].error(delivery)
        kind = type(error if asked is None or isinstance(asked, CommandTimeout) else asked)
        if issubclass(kind, DeliveryLost):
            log.warning("%s was stopped after %.3g s, for another delivery of it counts", command, duration)
            return Release(delivery), Execution(error=error, duration=duration)
        if issubclass(kind, CommandInterrupted) and not issubclass(kind, CommandTimeout):
            return await self._cancelled(command, delivery, duration)
        if issubclass(kind, CommandCancelled) and not _is_of_another_call(error):
            return await self._cancelled(command, delivery, duration, error)
        delay = await self._retry_delay(command, delivery, error)
        if delay is not None:
            is_asked_for = issubclass(kind, CommandRetry)
            try:
                data = self.invoker.codec.encode_retry(command, uses_up=not is_asked_for)
            except KeyboardInterrupt:
                raise
            except BaseException:
                log.exception(
                    "%s has changed its arguments into something that cannot be encoded, so it is not retried", command
                )
            else:
                if is_asked_for:
                    delay = min(max(delay, LEAST_POSTPONEMENT), MAX_SECONDS)
                    log.info("%s asks to be tried again, retrying in %.3g s%s", command, delay, _because_of(error))
                else:
                    log.info("%s raised %s, retrying in %.3g s", command, error_line(error), delay)
                self.invoker.plugins.notify(
                    hookspecs.huey_command_retried, invoker=self.invoker, command=command, error=error, delay=delay
                )
                return Retry(delivery, data, delay), Execution(error=error, duration=duration)
        execution = Execution(error=error, duration=duration, traceback=format_error(error))
        log.error("%s failed", command, exc_info=(type(error), error, traceback_of_command(error)))
        self.log.ended("failed", command, delivery, duration)
        self.invoker.plugins.notify(hookspecs.huey_command_failed, invoker=self.invoker, command=command, error=error)
        result = await self._result_in_any_case(command, delivery, execution)
        following = await self.following_in_any_case(command, delivery, execution)
        if not command.options.keep_failed:
            return Ack(delivery, result, *following), execution
        self._notify_buried(command, delivery, reason := error_line(error))
        return Bury(delivery, reason, execution.traceback, result, *following), execution

    def error_result(self, delivery: Delivery, error: BaseException) -> ResultWrite | None:
        """Make what tells whoever waits for a command, of which only the message is known, that there is no result.

        ``None`` for a run by the clock, for which nobody waits, and without a result store.
        """
        if self.invoker.result_store is None or schedule_of_tick(delivery.data) is not None:
            return None
        task_id = delivery.message_id
        run = run_of_message(self.invoker, delivery)
        return result_write(self.invoker, task_id, encode_error(self.invoker.serializer, task_id, error, run=run))

    async def following(
        self, command: QueueCommand | None, execution: Execution, message_id: str, headers: Mapping[str, str]
    ) -> Following:
        """Do what :func:`~huey_core.invoker.follow_ups.what_follows` does."""
        answers = await self.hooks.call_all(
            hookspecs.huey_follow_ups,
            invoker=self.invoker,
            command=command,
            execution=execution,
            message_id=message_id,
            headers=headers,
        )
        return following(self.invoker, command, execution, answers)

    async def following_in_any_case(
        self, command: QueueCommand | None, message: Delivery | StoredMessage, execution: Execution
    ) -> Following:
        """Find out what follows a command that has ended without success: nothing, when that fails."""
        if not self.invoker.plugins.has(hookspecs.huey_follow_ups):
            return NOTHING
        message_id = message.message_id
        try:
            headers = read_header(message.data).headers if command is None else command.headers
            return await self.following(command, execution, message_id, headers)
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - it is logged, whatever it is
            self.log.of(message, command).exception(
                "what follows message %s could not be found out, so nothing does", message_id
            )
            return NOTHING

    async def _dropped(
        self, command: QueueCommand, delivery: Delivery, error: CommandRevoked | CommandExpired
    ) -> tuple[Outcome, Execution]:
        self.log.of(delivery, command).info("%s", error)
        revoked = isinstance(error, CommandRevoked)
        hook = hookspecs.huey_command_revoked if revoked else hookspecs.huey_command_expired
        self.invoker.plugins.notify(hook, invoker=self.invoker, command=command)
        execution = Execution(error=error, dropped=True)
        result = await self._result_in_any_case(command, delivery, execution)
        following = await self.following_in_any_case(command, delivery, execution)
        return Ack(delivery, result, *following), execution

    async def _cancelled(
        self, command: QueueCommand, delivery: Delivery, duration: float, raised: BaseException | None = None
    ) -> tuple[Outcome, Execution]:
        """End a command that was cancelled, by itself if it has ``raised`` that."""
        if raised is None:
            error = CommandCancelled(f"{command.command_name} {command.task_id} was cancelled while it ran")
            self.log.of(delivery, command, duration).info("%s", error)
        else:
            error = CommandCancelled(
                error_text(raised) or f"{command.command_name} {command.task_id} has cancelled itself"
            )
            self.log.of(delivery, command, duration).info("%s has cancelled itself: %s", command, error)
        self.log.ended("was cancelled", command, delivery, duration)
        self.invoker.plugins.notify(hookspecs.huey_command_cancelled, invoker=self.invoker, command=command)
        execution = Execution(error=error, dropped=True, duration=duration)
        result = await self._result_in_any_case(command, delivery, execution)
        following = await self.following_in_any_case(command, delivery, execution)
        return Ack(delivery, result, *following), execution

    def _postponed(
        self, command: QueueCommand, delivery: Delivery, error: CommandPostponed
    ) -> tuple[Outcome, Execution]:
        delay = min(max(error.delay, LEAST_POSTPONEMENT), MAX_SECONDS)
        self.log.of(delivery, command).debug("%s is postponed by %g s", command, delay)
        self.invoker.plugins.notify(
            hookspecs.huey_command_postponed, invoker=self.invoker, command=command, delay=delay
        )
        return Release(delivery, delay, self._usable(error.wake)), Execution(error=error)

    def _usable(self, wake: Wake | None) -> Wake | None:
        """What a message is to wait for beside its delay, if its queue can do that."""
        queue = self.invoker.leased_queue
        if wake is None or queue is None or Capability.WAKE not in queue.capabilities:
            return None
        return wake if queue.settles_into(wake.store) else None

    async def _retry_delay(self, command: QueueCommand, delivery: Delivery, error: BaseException) -> float | None:
        try:
            if isinstance(error, EncodeError):
                # The command has done its work; its result will be no easier to write next time.
                return None
            delay = await self.hooks.call(
                hookspecs.huey_retry_delay, invoker=self.invoker, command=command, error=error
            )
            if delay is None or isinstance(delay, float | int):
                return delay
            raise _wrong_answer("huey_retry_delay", delay, "float")
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - it is logged, whatever it is
            self.log.of(delivery, command).exception("whether to retry %s could not be decided, so it is not", command)
            return None

    async def _result_in_any_case(
        self, command: QueueCommand, delivery: Delivery, execution: Execution
    ) -> ResultWrite | None:
        try:
            return checked_result(
                await self.hooks.call(
                    hookspecs.huey_store_result, invoker=self.invoker, command=command, execution=execution
                )
            )
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - it is logged, whatever it is
            self.log.of(delivery, command).exception("the result of %s could not be made", command)
        try:
            # It has ended all the same, and somebody may wait for that.
            return result_of(self.invoker, command, execution)
        except Exception:  # noqa: BLE001 - it is logged, whatever it is
            self.log.of(delivery, command).exception(
                "the result of %s could not be made without plugins either, so none is stored", command
            )
            return None

    def _notify_buried(self, command: QueueCommand | None, delivery: Delivery, reason: str) -> None:
        self.invoker.plugins.notify(
            hookspecs.huey_command_buried,
            invoker=self.invoker,
            command=command,
            message_id=delivery.message_id,
            reason=reason,
        )


def _is_of_another_call(error: BaseException) -> bool:
    """Whether a cancellation is what a command was told of a call that it has waited for."""
    # What Python itself keeps, and not what a class may answer.
    return "task_id" in object.__getattribute__(error, "__dict__")


def _because_of(error: BaseException) -> str:
    cause = cause_of(error)
    return "" if cause is None else f", because of {error_line(cause)}"


def checked_result(answer: Any) -> ResultWrite | None:
    """The answer of ``huey_store_result``.

    Raises:
        TypeError: It is something else than that hook may return.
    """
    if answer is None or isinstance(answer, ResultWrite):
        return answer
    raise _wrong_answer("huey_store_result", answer, "ResultWrite")


def _wrong_answer(hook: str, answer: Any, kind: str) -> TypeError:
    return TypeError(f"a plugin's {hook} returned {answer!r}, which is not {kind} or None")

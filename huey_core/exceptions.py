"""Every error that huey-core raises, in one tree under :class:`QueueException`; ``docs/errors.md`` says what to do.

Beside it stands :class:`CommandInterrupted`, which is raised in commands and is no ``Exception``.

A wrapped error keeps its cause in ``__cause__``. ``KeyboardInterrupt`` and ``SystemExit`` are never wrapped.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

__all__ = [
    "BodyTooLarge",
    "CommandAbandoned",
    "CommandCancelled",
    "CommandConflict",
    "CommandDeleted",
    "CommandError",
    "CommandException",
    "CommandExpired",
    "CommandInterrupted",
    "CommandNotFound",
    "CommandPostponed",
    "CommandRejected",
    "CommandRetry",
    "CommandRevoked",
    "CommandTimeout",
    "ConfigurationError",
    "DataStoreException",
    "DataStoreGetException",
    "DataStorePutException",
    "DataStoreTimeout",
    "DecodeError",
    "DeliveryLost",
    "EncodeError",
    "MessageTooLarge",
    "NoCurrentCommand",
    "PluginBlocked",
    "PluginConflict",
    "PluginException",
    "PluginIncompatible",
    "PluginLoadError",
    "PluginNotFound",
    "PluginRefused",
    "QueueException",
    "QueueReadException",
    "QueueWriteException",
    "ScheduleNotFound",
    "SerializationError",
    "SignatureError",
    "UnknownHook",
    "Unsupported",
]


class QueueException(Exception):
    """The base of every error in this package."""


class QueueWriteException(QueueException):
    """A message could not be written to the queue; the cause is in ``__cause__``."""


class MessageTooLarge(QueueWriteException):
    """A message is larger than the backend accepts; nothing was written.

    Attributes:
        size: The size of the message in bytes.
        limit: The largest size the backend accepts, in bytes.
        backend: What accepts no more, for people.
    """

    def __init__(self, size: int, limit: int, backend: str) -> None:
        super().__init__(size, limit, backend)
        self.size = size
        self.limit = limit
        self.backend = backend

    def __str__(self) -> str:
        return (
            f"the message is {self.size:,} bytes and {self.backend} accepts at most {self.limit:,} bytes; "
            "store the data elsewhere and pass a reference to it"
        )


class QueueReadException(QueueException):
    """The queue could not be read; the cause is in ``__cause__``."""


class DataStoreException(QueueException):
    """The base of the errors of a data store."""


class DataStoreGetException(DataStoreException):
    """A value could not be read from the data store; the cause is in ``__cause__``."""


class DataStorePutException(DataStoreException):
    """A value could not be written to the data store; the cause is in ``__cause__``."""


class DataStoreTimeout(DataStoreException, TimeoutError):
    """No result arrived within the time that the caller was ready to wait."""


class ConfigurationError(QueueException, ValueError):
    """A setting, a URL or an option cannot be used; the message names the part at fault."""


class Unsupported(ConfigurationError):
    """A backend or a worker pool was asked for something it does not offer; the message names it and the option."""


class SerializationError(QueueException):
    """The base of the errors of serializers and of the message format."""


class EncodeError(SerializationError):
    """A value cannot be carried by the serializer in use; the message names the value's type and place."""


class DecodeError(SerializationError):
    """Bytes cannot be read back: damaged, of an unknown format version, or by a serializer not accepted here."""


class BodyTooLarge(DecodeError):
    """A body has, or unpacks to, more bytes than the reader takes; it was not unpacked any further, and not decoded.

    Attributes:
        limit: The most bytes that are read.
        size: How many there are; ``None`` when that is not known without unpacking them.
    """

    def __init__(self, limit: int, size: int | None = None) -> None:
        super().__init__(limit, size)
        self.limit = limit
        self.size = size

    def __str__(self) -> str:
        size = f"more than {self.limit:,}" if self.size is None else f"{self.size:,}"
        return f"the body unpacks to {size} bytes and max_body_size, of the invoker or its URL, allows {self.limit:,}"


class SignatureError(DecodeError):
    """Bytes carry no signature, or one that none of the configured keys made."""


class CommandException(QueueException):
    """The base of the errors that concern one command."""


class CommandError(CommandException):
    """A command raised an exception while it ran in the consumer.

    The original exception travels as text and never as an object, so reading a result runs no foreign code.

    Attributes:
        type_name: The dotted name of the original exception's type, for example ``builtins.ZeroDivisionError``.
        message: ``str()`` of the original exception.
        traceback: The formatted traceback as the consumer saw it.
    """

    def __init__(self, type_name: str, message: str, traceback: str = "") -> None:
        super().__init__(type_name, message, traceback)
        self.type_name = type_name
        self.message = message
        self.traceback = traceback

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}"


class CommandRevoked(CommandException):
    """A command was revoked before it started, so it has no result."""


class CommandExpired(CommandException):
    """A command was not started before its expiry, so it has no result."""


class CommandCancelled(CommandException):
    """A command was cancelled while it ran, so it has no result. In the command it was :class:`CommandInterrupted`.

    A command that raises it cancels itself: it is not tried again and leaves no dead letter, and whoever waits for it
    gets this error with the same text.

    Attributes:
        task_id: The id of the call that was cancelled, where its result has said so. A command that waits for another
            one and lets this through has failed: it has not cancelled itself. ``None`` in one that a command makes.
    """

    task_id: str | None = None


class CommandRetry(CommandException):
    """Raised in a command to have it tried again, whatever ``retries`` it has left, of which none is used up.

    It goes before ``retry_on`` and ``give_up_on``. The log has what caused it (``raise CommandRetry(60) from error``).

    Args:
        delay: The pause before the next run, in seconds or as a timedelta: ten milliseconds pass at the least, so that
            others have a turn. ``None`` is the command's own: its ``retry_delay``, ``retry_backoff`` and the like.
        max_retries: How often the command may have been tried again, for whatever reason; then it has failed, with this
            as its error. ``None`` sets no bound.

    Raises:
        ConfigurationError: An argument is of another type, or out of its range.

    Attributes:
        delay: The pause, in seconds.
        max_retries: As it was given.
        refused_after: How often the command had been tried again when that was too often; ``None`` when it was not.
    """

    # Also of a subclass whose __init__ does not call this one.
    delay: float | None = None
    max_retries: int | None = None
    refused_after: int | None = None

    def __init__(self, delay: float | timedelta | None = None, max_retries: int | None = None) -> None:
        super().__init__(delay, max_retries)
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
        # Written so that "not a number" is refused too. To isinstance a bool is an int, and to nobody else a number.
        if seconds is not None and (
            isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < float("inf")
        ):
            raise ConfigurationError(f"delay must be a number of seconds or a timedelta, of at least 0, not {delay!r}")
        if max_retries is not None and (
            isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0
        ):
            raise ConfigurationError(f"max_retries must be a whole number of at least 0, not {max_retries!r}")
        self.delay = None if seconds is None else float(seconds)
        self.max_retries = max_retries

    def __str__(self) -> str:
        if self.refused_after is not None:
            return (
                f"the command asks to be tried again, and has been {self.refused_after} times already: "
                f"its max_retries is {self.max_retries}"
            )
        return "the command asks to be tried again" + ("" if self.delay is None else f" in {self.delay:g} s")


class CommandPostponed(CommandException):
    """Raised by an implementation of ``huey_before_execute``: not now. The command's message is put back for later.

    It keeps its place in the order, the delivery is not counted, and no worker waits.

    Attributes:
        delay: Seconds until the command is tried again: ten milliseconds pass at the least, so that others have a turn.
        wake: What it waits for, as a :class:`~huey_core.backends.Wake`: when that key is freed, it is tried at once.
            Where the queue cannot do that, the delay alone holds.

    Raises:
        ValueError: The delay is negative, or no number.
    """

    def __init__(self, delay: float, wake: Any = None) -> None:
        super().__init__(delay, wake)
        if not 0 <= delay < float("inf"):
            raise ValueError(f"a command is postponed by a number of seconds, not by {delay!r}")
        self.delay = delay
        self.wake = wake

    def __str__(self) -> str:
        return f"the command is postponed by {self.delay:g} s"


class CommandAbandoned(CommandException):
    """A command was delivered too often without an outcome, as one that kills its consumers is; it has no result."""


class CommandDeleted(CommandException):
    """A command's message was deleted from its queue before it had ended, so it has no result."""


class CommandRejected(CommandException):
    """Raised by an implementation of ``huey_before_enqueue`` to refuse a command; nothing was written."""


class CommandNotFound(CommandException, LookupError):
    """A message names a command that is not in this process's registry."""


class CommandConflict(CommandException):
    """Two different commands claim one name in one registry."""


class ScheduleNotFound(QueueException, LookupError):
    """There is no schedule of a name; the message has the closest one."""


class NoCurrentCommand(CommandException, RuntimeError):
    """``current_command()`` was called where no command runs, or ``then()`` or ``progress()`` of a run that is over."""


class CommandInterrupted(BaseException):
    """Raised in a command that is to end now: it was cancelled, if this is no subclass.

    It is no ``Exception``, so that a command's ``except Exception`` does not keep it going by accident. A command may
    catch it to clean up, and raises it again.
    """


class CommandTimeout(CommandInterrupted):
    """Raised in a command that has run for longer than its ``timeout``; uncaught, the command has failed."""


class DeliveryLost(CommandInterrupted):
    """Raised in a command whose message its consumer has no more: another delivery of it counts, and not this run.

    Its lease was lost, or it was given back when its consumer stopped.
    """


class PluginException(QueueException):
    """The base of the errors of plugin loading.

    Attributes:
        plugin: The entry-point name of the plugin at fault, where there is one.
        distribution: The distribution that provides it, where it is known.
    """

    def __init__(self, *args: Any, plugin: str | None = None, distribution: str | None = None) -> None:
        super().__init__(*args)
        self.plugin = plugin
        self.distribution = distribution


class PluginNotFound(PluginException, ConfigurationError):
    """No installed plugin answers to a name; the message says what to install."""


class PluginLoadError(PluginException, ImportError):
    """A plugin is installed but cannot be imported; the cause is in ``__cause__``."""


class PluginConflict(PluginException):
    """Two distributions claim one name; the message names both and how to choose."""


class PluginIncompatible(PluginException):
    """A plugin was built for another major version of the plugin API."""


class PluginRefused(PluginException, ConfigurationError):
    """A plugin does not do what its hooks ask of it; the message names it and says what is wrong."""


class PluginBlocked(PluginException):
    """A plugin was asked for that a setting blocks; the message names the setting."""


class UnknownHook(PluginException):
    """A plugin implements a hook that does not exist, or one is called that does not, or as what it is not."""

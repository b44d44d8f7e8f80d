"""What talks to the server: lazily, from any thread, and never over a socket that a fork shares.

The driver's connections do the dialling, TLS, authentication and parsing. Around them stands the smallest pool that
does the job, because the driver's own client takes longer over a command than the server does:

* a connection serves one caller at a time, and goes back to the pool only when every reply was read;
* one that the server closed while it lay idle is noticed before it is used, so that a restart of the server between
  two commands costs nobody an error, and nothing is ever sent twice for it;
* one that breaks is dropped, and its commands are repeated only for a caller who says that they may be: the server may
  have carried them out;
* a server that says that it takes no writes is left: after a failover behind one address it keeps its connections open,
  so all of them are closed, and the next command goes to wherever the address leads now;
* a pool that was closed stays closed, and a connection that is in use at that moment is closed when it comes back;
* many commands go out in exchanges of bounded size, because the driver's time limit is for all that is sent at once.

A pool never holds more connections than threads have used at one time.
"""

from __future__ import annotations

import select
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import hiredis
from redis.exceptions import ConnectionError as BrokenConnection
from redis.exceptions import MasterDownError, NoPermissionError, NoScriptError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeout

from huey_core.backends import PerProcess, time_left
from huey_core.exceptions import QueueException

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from huey_redis.interrupt import Interrupt
    from huey_redis.scripts import Script
    from huey_redis.settings import Settings

__all__ = ["EXCHANGE_BYTES", "Argument", "Connections", "Link", "value_of"]

EXCHANGE_BYTES: Final = 2**20
"""The bytes of script calls after which an exchange takes no more of them: little enough to be carried out well within
any sensible time limit, be it thousands of small messages, and enough to make the round trips cheap."""

SCAN_COUNT: Final = 1000
"""Keys of the database that one step of :meth:`Connections.scan` looks at."""

Argument: TypeAlias = str | bytes | int

# The driver's own packer looks at every argument in Python; its stub takes commands of one argument only.
_pack: Callable[[tuple[Argument, ...]], bytes] = hiredis.pack_command  # type: ignore[assignment]


class Link:
    """One connection to the server, used by one thread at a time. Making one connects.

    Attributes:
        is_demoted: Whether the server has answered that it is a replica.
    """

    def __init__(self, settings: Settings) -> None:
        left = time_left(max(settings.connect_timeout, settings.socket_timeout))
        hurried = replace(
            settings,
            connect_timeout=min(left, settings.connect_timeout),
            socket_timeout=min(left, settings.socket_timeout),
        )
        self._connection = hurried.connection()
        self._connection.connect()
        # The driver offers no public way to wait for its socket together with something else, nor to be patient later.
        self._socket = self._connection._sock
        self._patience = settings.socket_timeout
        self._socket.settimeout(self._patience)
        self._connection.socket_timeout = self._patience
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._client_id: int | None = None
        self._has_asked_for_id = False
        self.is_demoted = False

    def send(self, *commands: tuple[Argument, ...]) -> None:
        """Send commands, to be answered in their order."""
        self.send_packed(map(_pack, commands))

    def send_packed(self, commands: Iterable[bytes]) -> None:
        """Send commands that are packed already; see :meth:`send`."""
        self._connection.send_packed_command([b"".join(commands)])

    def receive(self) -> Any:
        """Read one reply, and raise it if it is an error."""
        try:
            return self._connection.read_response()
        except ResponseError as error:
            if _tells_of_demotion(error):
                self.is_demoted = True
            raise

    def receive_many(self, count: int) -> list[Any]:
        """Read several replies; errors of single commands are among them and are not raised."""
        replies: list[Any] = []
        for _ in range(count):
            try:
                replies.append(self.receive())
            except ResponseError as error:
                replies.append(error)
        return replies

    def wait_for_caller(self) -> None:
        """Wait for a reply as long as the caller's own time limit allows, if it ends before that of the socket.

        Raises:
            redis.TimeoutError: There was none.
        """
        left = time_left(self._patience)
        if left < self._patience and not self._poll.poll(left * 1000):
            raise RedisTimeout(f"the server has not answered within the {left:.3g} s that the caller was ready to wait")

    def has_reply(self) -> bool:
        """Whether a reply has arrived, or the end of the connection, which :meth:`receive` then raises."""
        return bool(self._connection.can_read())

    def is_usable(self) -> bool:
        """Whether an idle link may be used: open here, still open on the server's side, and nothing left unread."""
        return self._connection._sock is not None and not self._poll.poll(0)

    def wait(self, timeout: float, interrupt: Interrupt) -> bool:
        """Wait until a reply arrives, ``interrupt`` is set or ``timeout`` seconds are over; say whether one did."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.register(interrupt, select.POLLIN)
        ready = poll.poll(timeout * 1000)
        return any(descriptor != interrupt.fileno() for descriptor, _ in ready)

    def client_id(self) -> int | None:
        """The number by which the server knows this connection, or ``None`` when the user may not ask. Asks once."""
        if not self._has_asked_for_id:
            self.send((b"CLIENT", b"ID"))
            with suppress(NoPermissionError):
                self._client_id = int(self.receive())
            self._has_asked_for_id = True
        return self._client_id

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()


class Connections:
    """The connections to one server, shared by queues and data stores.

    Args:
        settings: Where the server is. Nothing connects before the first command.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._closed = False
        self._when_moved: list[Callable[[], None]] = []
        self._met_replica = False
        self._to_cluster: bool | None = None
        self._idle: PerProcess[list[Link]] = PerProcess(list, leave=_let_go)

    @contextmanager
    def borrow(self) -> Iterator[Link]:
        """Lend a connection for a block, which must have read every reply when it ends without an exception."""
        idle = self._idle()
        link = self._take(idle)
        try:
            yield link
        except BaseException:
            self._drop(link)
            raise
        if link.is_demoted:
            self._drop(link)
            return
        idle.append(link)
        if self._met_replica:
            self._met_replica = False
            self._tell_of_move()
        if self._closed:
            self._close_idle()

    def when_moved(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever the address may lead to another server than before.

        That is when the server turns out to be a replica, and when it has answered like a primary again: the address
        can take its time to follow. It is called in the thread that got the answer.
        """
        self._when_moved.append(callback)

    def exchange(self, *commands: tuple[Argument, ...]) -> list[Any]:
        """Send commands in one round trip; errors of single commands are among the replies and are not raised."""
        return self._exchange_packed([_pack(command) for command in commands])

    def call(self, *command: Argument) -> Any:
        """Send one command and return its reply.

        Raises:
            redis.RedisError: The server answered with an error, or did not answer.
        """
        return self.call_many(command)[0]

    def call_many(self, *commands: tuple[Argument, ...]) -> list[Any]:
        """Send commands in one round trip and return their replies; see :meth:`call`."""
        return [value_of(reply) for reply in self.exchange(*commands)]

    def run(self, script: Script, keys: Sequence[bytes], *arguments: Argument) -> Any:
        """Run a script and return its reply, whether or not the server has the script; see :meth:`call`."""
        call = (len(keys), *keys, *arguments)
        [reply] = self.exchange((b"EVALSHA", script.digest, *call))
        if isinstance(reply, NoScriptError):
            [reply] = self.exchange((b"EVAL", script.source, *call))
        return value_of(reply)

    def run_with(
        self, script: Script, keys: Sequence[bytes], *arguments: Argument, also: tuple[Argument, ...]
    ) -> tuple[Any, Any]:
        """Run a script and, after it, a command, in one round trip; return both replies. See :meth:`run`."""
        call = (len(keys), *keys, *arguments)
        reply, other = self.exchange((b"EVALSHA", script.digest, *call), also)
        if isinstance(reply, NoScriptError):
            reply, other = self.exchange((b"EVAL", script.source, *call), also)
        return value_of(reply), value_of(other)

    def run_many(self, script: Script, calls: Sequence[tuple[Sequence[bytes], Sequence[Argument]]]) -> list[Any]:
        """Run a script several times, each time with keys and arguments, in as few exchanges as their size allows.

        Raises:
            redis.RedisError: A call failed. Those of the same exchange and of earlier ones may have been carried out,
                and those of later ones were not sent.
        """
        return [reply for reply, _ in self.run_each(script, calls)]

    def run_each(
        self, script: Script, calls: Iterable[tuple[Sequence[bytes], Sequence[Argument]]], *, repeat: bool = False
    ) -> Iterator[tuple[Any, bool]]:
        """Do what :meth:`run_many` does, reply by reply.

        Args:
            script: The script.
            calls: The keys and the arguments of each call.
            repeat: Whether an exchange whose connection breaks is sent once more. Earlier ones never are.

        Yields:
            The reply to each call, and whether its exchange was sent twice.
        """
        packed = (_pack((b"EVALSHA", script.digest, len(keys), *keys, *arguments)) for keys, arguments in calls)
        for first in packed:
            exchange = _Exchange([first], packed)
            repeated = False
            try:
                replies = self._run_packed(script, exchange)
            except BrokenConnection:
                if not repeat:
                    raise
                replies = self._run_packed(script, _Exchange(exchange.commands))
                repeated = True
            for reply in replies:
                yield value_of(reply), repeated

    def are_to_cluster(self) -> bool:
        """Whether the server is of a cluster, in which a script can use keys of one slot only.

        It is asked once; one that this user may not ask counts as none.

        Raises:
            redis.RedisError: The server did not answer.
        """
        if self._to_cluster is None:
            try:
                self._to_cluster = b"cluster_enabled:1" in self.call(b"INFO", b"cluster")
            except NoPermissionError:
                self._to_cluster = False
        return self._to_cluster

    def scan(self, pattern: bytes) -> Iterator[list[bytes]]:
        """Look through the whole database in small steps, and yield the keys of a pattern; some may come twice."""
        cursor = b"0"
        while True:
            cursor, keys = self.call(b"SCAN", cursor, b"MATCH", pattern, b"COUNT", SCAN_COUNT)
            if keys:
                yield keys
            if cursor == b"0":
                return

    def close(self) -> None:
        """Close the connections: those in use when they come back. Every later command raises.

        May be called more than once.
        """
        self._closed = True
        self._close_idle()

    def _drop(self, link: Link) -> None:
        link.close()
        if link.is_demoted:
            self._met_replica = True
            self._close_idle()
            self._tell_of_move()

    def _tell_of_move(self) -> None:
        for callback in self._when_moved:
            callback()

    def _close_idle(self) -> None:
        idle = self._idle()
        while (link := _pop(idle)) is not None:
            link.close()

    def _exchange_packed(self, commands: Sequence[bytes]) -> list[Any]:
        with self.borrow() as link:
            link.send_packed(commands)
            link.wait_for_caller()
            return link.receive_many(len(commands))

    def _run_packed(self, script: Script, exchange: _Exchange) -> list[Any]:
        """Run packed calls of a script in one exchange, and in a second one where the server lacked the script."""
        with self.borrow() as link:
            for command in exchange:
                link.send_packed((command,))
            replies = link.receive_many(len(exchange.commands))
        unknown = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            load = _pack((b"SCRIPT", b"LOAD", script.source))
            again = self._exchange_packed([load, *(exchange.commands[index] for index in unknown)])[1:]
            for index, reply in zip(unknown, again, strict=True):
                replies[index] = reply
        return replies

    def _take(self, idle: list[Link]) -> Link:
        while (link := _pop(idle)) is not None:
            if link.is_usable():
                return link
            link.close()
        if self._closed:
            raise QueueException("the connections to Redis were closed by this program, and are of no more use")
        return Link(self.settings)


class _Exchange:
    """Packed script calls that go out in one exchange. The next is packed while the server works on those before it.

    Args:
        commands: What is packed already.
        more: Where further ones are taken from, until there are :data:`EXCHANGE_BYTES`.

    Attributes:
        commands: What was packed so far.
    """

    def __init__(self, commands: list[bytes], more: Iterator[bytes] | None = None) -> None:
        self.commands = commands
        self._more = more

    def __iter__(self) -> Iterator[bytes]:
        yield from self.commands
        total = sum(map(len, self.commands))
        while self._more is not None and total < EXCHANGE_BYTES:
            command = next(self._more, None)
            if command is None:
                return
            self.commands.append(command)
            total += len(command)
            yield command


def value_of(reply: Any) -> Any:
    """Return a reply of :meth:`Connections.exchange`, or raise it if it is an error."""
    if isinstance(reply, ResponseError):
        raise reply
    return reply


def _let_go(idle: list[Link]) -> None:
    # In another process than that which connected, the driver closes the descriptor and leaves the connection open.
    for link in idle:
        link.close()


def _pop(idle: list[Link]) -> Link | None:
    # What is raised while another error is handled is logged together with that one, so none is when one connects.
    try:
        return idle.pop()
    except IndexError:
        return None


def _tells_of_demotion(error: ResponseError) -> bool:
    if isinstance(error, (ReadOnlyError, MasterDownError)):
        return True
    text = str(error)
    # What Redis 6.2 says of a script, what any server says to a client that it had kept waiting, and an error for which
    # older versions of redis-py have no class.
    return "-READONLY " in text or text.startswith(("UNBLOCKED ", "MASTERDOWN "))

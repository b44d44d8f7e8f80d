"""A line to a server that can be bad: slow, with replies that get lost, or leading somewhere else from now on."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

__all__ = ["Tunnel"]


class Tunnel:
    """A loopback port that forwards to a server.

    A reply that is lost is lost together with its connection.

    Args:
        port: The port of the server; see :attr:`target`.
        tls: With it, clients talk TLS to the tunnel.

    Attributes:
        port: The port of the tunnel.
        target: The port to which new connections lead; those that are there stay where they are.
        lose_replies: How many of the next replies are lost.
        lose_reply_after: Bytes from clients after which one reply is lost.
        bytes_per_second: How fast clients are served; ``None`` is as fast as it goes.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.target = port
        self.lose_replies = 0
        self.lose_reply_after: int | None = None
        self.bytes_per_second: float | None = None
        self._tls = tls
        self._forwarded = 0
        self._wanted: bytes | None = None
        self._refusing = threading.Event()
        self._refuses_then = False
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_reply_to(self, request: bytes, *, then_refuse: bool = False) -> None:
        """Lose the reply to the next request that contains these bytes; then refuse every connection if told so."""
        self._refuses_then = then_refuse
        self._wanted = request

    def stop_refusing(self) -> None:
        """Let connections through again."""
        self._refusing.clear()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            if self._refusing.is_set():
                return
            with socket.create_connection(("127.0.0.1", self.target)) as server:
                if self._tls is None:
                    self._forward(client, server)
                else:
                    with self._tls.wrap_socket(client, server_side=True) as encrypted:
                        self._forward(encrypted, server)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        """Forward until a side ends the connection, or a reply is to be lost."""
        is_losing = False
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ)
            selector.register(server, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    data = source.recv(65536)
                    if source is client:
                        is_losing = self._hear(data) or is_losing
                    elif is_losing or self._loses_reply():
                        if is_losing and self._refuses_then:
                            self._refusing.set()
                        return
                    if not data or self._refusing.is_set():
                        return
                    (server if source is client else client).sendall(data)

    def _hear(self, data: bytes) -> bool:
        """Look at what a client sends, and tell whether it is the request whose reply is to be lost."""
        self._forwarded += len(data)
        if self.bytes_per_second is not None:
            time.sleep(len(data) / self.bytes_per_second)
        if self._wanted is None or self._wanted not in data:
            return False
        self._wanted = None
        return True

    def _loses_reply(self) -> bool:
        if self.lose_replies:
            self.lose_replies -= 1
            return True
        if self.lose_reply_after is not None and self._forwarded > self.lose_reply_after:
            self.lose_reply_after = None
            return True
        return False

"""What a consumer tells systemd, where that asks for it: that it is ready, that it stops, and that it is healthy.

systemd names a datagram socket in the environment of a service of ``Type=notify``, and with ``WatchdogSec`` how long it
waits for a heartbeat before it kills the service; see sd_notify(3).
"""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

from huey_core.safe_logging import get_logger
from huey_core.text import error_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Notifier"]

log: Final = get_logger(__name__)

_SENDING_TAKES: Final = 1.0
"""Seconds for which a message may wait for room in the socket."""


class Notifier:
    """Sends messages to systemd; without its socket in the environment, it does nothing.

    Args:
        environment: The variables ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID``.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._interval = None if self._address is None else _watchdog_interval(environment)
        self._is_over = threading.Event()
        self._is_failing = False

    def ready(self, is_healthy: Callable[[], bool]) -> None:
        """Say that the service has started, and from now on that it lives, while it is healthy.

        Args:
            is_healthy: Says whether it is; called in another thread.
        """
        self._send("READY=1")
        if self._interval is not None:
            # Of its own: what is asked may wait for a lock, and the main thread has signals to obey.
            watch = threading.Thread(target=self._watch, args=(is_healthy,), name="huey-watchdog", daemon=True)
            watch.start()

    def starts_again(self) -> None:
        """Say that the service stops to start again in the same process, which then says that it is ready."""
        # On Linux the monotonic clock is the one that systemd means.
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stops(self) -> None:
        """Say that the service stops for good."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Send a last heartbeat: what comes next, such as the imports of a new start, has the whole time for it."""
        self._is_over.set()
        if self._interval is not None:
            self._send("WATCHDOG=1")

    def _watch(self, is_healthy: Callable[[], bool]) -> None:
        while True:
            if is_healthy():
                self._send("WATCHDOG=1")
            if self._is_over.wait(self._interval):
                return

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
                datagrams.settimeout(_SENDING_TAKES)
                datagrams.connect(self._address)
                datagrams.send(message.encode())
        except OSError as error:
            if not self._is_failing:
                log.warning("systemd cannot be told %s: %s", message.partition("\n")[0], error_line(error))
            self._is_failing = True
        else:
            self._is_failing = False


def _address(name: str) -> str | None:
    """The address of the socket that systemd names: a path, or with ``@`` in front a name in the abstract namespace."""
    if name.startswith("@"):
        return f"\0{name[1:]}"
    if name and not name.startswith("/"):
        log.warning("NOTIFY_SOCKET is %r, which is neither a path nor an abstract name: systemd is told nothing", name)
        return None
    return name or None


def _watchdog_interval(environment: Mapping[str, str]) -> float | None:
    """Seconds between two heartbeats: half of what systemd waits; ``None`` where it does not wait for this process.

    systemd names the process, because another one may have inherited the environment.
    """
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", "0"))
    except ValueError:
        log.warning("WATCHDOG_USEC is %r, which is no number: no watchdog is told", environment["WATCHDOG_USEC"])
        return None
    return microseconds / 2e6 if microseconds > 0 else None

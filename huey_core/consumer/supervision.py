"""What keeps the threads of a consumer alive: one that died unnoticed would leave messages in flight for nothing.

Each thread handles the errors that it knows of. This is for the rest: a mistake of ours, or what is no
:class:`Exception`, be it a ``SystemExit`` that a driver or a plugin lets through. In a thread that ends nothing but the
thread, and without a word.
"""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Final

from huey_core.safe_logging import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.consumer.policy import Policy

__all__ = ["Service", "run_supervised"]

log: Final = get_logger(__name__)


def run_supervised(
    loop: Callable[[], None],
    what: str,
    restart_after: float,
    wait: Callable[[float], object] = time.sleep,
) -> None:
    """Call ``loop`` until it returns: again after a pause when it raises, whatever it raises.

    Args:
        loop: Runs until the thread is to end.
        what: What it is, for the log.
        restart_after: The pause in seconds.
        wait: Waits for so many seconds, or until the thread is to end, and then returns true: the loop is not called
            again.
    """
    while True:
        try:
            loop()
        except BaseException:
            log.critical("%s crashed, restarting", what, exc_info=True)
            if wait(restart_after):
                return
        else:
            return


class Service(threading.Thread):
    """A supervised thread that the consumer starts and stops.

    Args:
        name: The name of the thread, without the ``huey-`` that all of them begin with.
        what: What it does, for the log.
        policy: Says when it is begun again after it has raised.
    """

    def __init__(self, name: str, what: str, policy: Policy) -> None:
        # A daemon, so that one that hangs in a driver does not keep the process from ending.
        super().__init__(name=f"huey-{name}", daemon=True)
        self._what = what
        self._restart_after = policy.restart_after
        self._stopping = threading.Event()
        self._stuck_for = policy.stuck_for
        self._comes_round_by = float("inf")
        self._given_up = False
        """Whether nobody waits for the thread any more."""

    def run(self) -> None:
        """Work until told to stop."""
        run_supervised(self._work, self._what, self._restart_after, self._pause)

    def stop(self) -> None:
        """End the thread soon."""
        self._stopping.set()

    def join_until(self, deadline: float) -> None:
        """Wait for the thread, which was told to stop, but for no longer when a server or a plugin keeps it.

        Args:
            deadline: Until when, on the monotonic clock.
        """
        # It may not have been started.
        if self.is_alive():
            self.join(max(deadline - time.monotonic(), 0.0))
        if self.is_alive():
            self._given_up = True
            log.warning("%s did not end in time, not waiting for it", self._what)

    def problem(self) -> str | None:
        """What keeps it from doing its work, in a few words; ``None`` while it does, and when it was told to stop."""
        if self._stopping.is_set():
            return None
        if not self.is_alive():
            return f"{self._what} has ended"
        late = time.monotonic() - self._comes_round_by
        return f"{self._what} has been stuck for {late:.0f} s" if late > self._stuck_for else None

    def _comes_round_within(self, seconds: float) -> None:
        """Say that the loop comes to this call again after so many seconds, and what it does meanwhile takes no time.

        One that does not by far is stuck. A loop that says nothing may wait for as long as it likes.
        """
        self._comes_round_by = time.monotonic() + seconds

    def _rest(self, seconds: float) -> bool:
        """Wait until the loop is to come round again, and return whether the thread was told to stop."""
        self._comes_round_within(seconds)
        return self._stopping.wait(seconds)

    @abstractmethod
    def _work(self) -> None:
        """Do the work, and return when told to stop. It is called again when it raises before that."""

    def _pause(self, seconds: float) -> bool:
        """Wait, and return whether the thread was told to stop."""
        return self._stopping.wait(seconds)

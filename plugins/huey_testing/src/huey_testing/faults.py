"""Faults on order: the next call of a method of a queue or a data store fails, in place of a server that is away."""

from __future__ import annotations

import functools
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from huey_core.backends import BaseDataStore, LeasedQueue

__all__ = ["Faults"]

_QUEUE: Final = {
    # A single write goes through write_many() too.
    "write": "write_many",
    **{
        name: name
        for name in ("claim", "report_done", "settle", "extend", "counts", "peek", "find", "requeue", "delete")
    },
}
_STORE: Final = ("put", "get", "peek", "delete", "put_if_absent", "replace_if_equal", "increment")
_METHODS: Final = (*_QUEUE, *(f"{store}.{name}" for store in ("results", "state") for name in _STORE))


@dataclass
class _Fault:
    error: BaseException | type[BaseException]
    after: bool


class Faults:
    """Makes calls of the queues and stores that it watches fail, each so often as it was asked to."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, deque[_Fault]] = defaultdict(deque)

    def fail_next(
        self,
        method: str,
        times: int = 1,
        error: BaseException | type[BaseException] | None = None,
        *,
        after: bool = False,
    ) -> None:
        """Let the next calls of a method fail.

        Args:
            method: A method of the queue: ``write`` (of one message or many), ``claim``, ``report_done``, ``settle``,
                ``extend``, ``counts``, ``peek``, ``find``, ``requeue``, ``delete``; or one of a data store behind
                ``results.`` or ``state.``, such as ``results.get`` or ``state.peek``. A result is written by
                ``settle``, in one step with the outcome.
            times: How many calls.
            error: What they raise; a ``ConnectionError`` by default.
            after: Let each call take effect before it fails, as when only the server's reply is lost.

        Raises:
            ValueError: There is no such method.
        """
        if method not in _METHODS:
            raise ValueError(f"nothing is called {method!r}; what can fail is {', '.join(_METHODS)}")
        if error is None:
            error = ConnectionError(f"the server is away, as fail_next({method!r}) asked for")
        self._waiting[method] += [_Fault(error, after)] * times

    def watch_queue(self, queue: LeasedQueue) -> None:
        """Let the methods of this queue fail when they are asked to."""
        for name, method in _QUEUE.items():
            self._watch(queue, method, name)

    def watch_store(self, store: BaseDataStore, prefix: str) -> None:
        """Let the methods of this store fail when they are asked to; ``prefix`` is ``results`` or ``state``."""
        for method in _STORE:
            self._watch(store, method, f"{prefix}.{method}")

    def _watch(self, thing: object, method: str, name: str) -> None:
        call = getattr(thing, method)

        @functools.wraps(call)
        def may_fail(*args: Any, **kwargs: Any) -> Any:
            try:
                fault = self._waiting[name].popleft()
            except IndexError:
                return call(*args, **kwargs)
            if fault.after:
                call(*args, **kwargs)
            raise fault.error

        setattr(thing, method, may_fail)

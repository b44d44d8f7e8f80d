"""What most tests need: an invoker in a memory of its own, and consumers in this process."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from huey_core import AsyncData, CommandRegistry, Invoker
from huey_core.consumer import Consumer

if TYPE_CHECKING:
    # Where the core is tested alone, there is none.
    from huey_memory import ManualClock

pytest_plugins = ["suite", "distributions", "command_line"]

_spaces = itertools.count(1)


@pytest.fixture
def make_invoker() -> Iterator[Callable[..., Invoker]]:
    """Make invokers in a memory that no other test shares; ``store=False`` makes one without a result store."""
    url = f"memory://test{next(_spaces)}/"
    invokers = []

    def make(*, results: bool = True, **settings: Any) -> Invoker:
        settings.setdefault("registry", CommandRegistry())
        invoker = Invoker(url, url if results else None, url, **settings)
        invokers.append(invoker)
        return invoker

    yield make
    for invoker in invokers:
        invoker.close()


@pytest.fixture
def invoker(make_invoker: Callable[..., Invoker]) -> Invoker:
    """An invoker with a result store and a task store."""
    return make_invoker()


@pytest.fixture
def clock() -> ManualClock:
    """A clock that stands still until the test moves it."""
    from huey_memory import ManualClock

    return ManualClock()


@pytest.fixture
def do_twice_at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Exception]]:
    """Do something a second time, in another thread, when it is about to call a method; return what both raised.

    The first one goes on when the second has ended, or has been kept waiting for a while.
    """

    def do(action: Callable[[], object], of: object, method: str) -> list[Exception]:
        errors: list[Exception] = []

        def attempt() -> None:
            try:
                action()
            except Exception as error:  # noqa: BLE001 - whatever it is, the test compares it
                errors.append(error)

        def wait_for_second(*args: Any, **kwargs: Any) -> Any:
            monkeypatch.undo()
            second.start()
            second.join(0.3)
            return getattr(of, method)(*args, **kwargs)

        second = threading.Thread(target=attempt)
        monkeypatch.setattr(of, method, wait_for_second)
        attempt()
        second.join(10)
        return errors

    return do


@pytest.fixture
def run_consumer() -> Iterator[Callable[..., Consumer]]:
    """Start consumers in this process, and stop them after the test."""
    consumers = []

    def run(invoker: Invoker, **settings: Any) -> Consumer:
        settings.setdefault("shutdown_timeout", 5.0)
        settings.setdefault("periodic", False)
        consumer = Consumer(invoker, **settings)
        consumer.start()
        consumers.append(consumer)
        return consumer

    yield run
    for consumer in consumers:
        consumer.stop("the end of the test")


@pytest.fixture
def result_of(run_consumer: Callable[..., Consumer]) -> Callable[[AsyncData[Any]], Any]:
    """Have a consumer run a call, and return its result, or raise what :meth:`AsyncData.get` raises."""

    def result_of(call: AsyncData[Any]) -> Any:
        run_consumer(call.invoker)
        return call.get(blocking=True, timeout=60)

    return result_of


@pytest.fixture
def pass_two_leases(eventually) -> Callable[[Consumer, ManualClock], None]:
    """Let two leases pass by the clock of a consumer's queue, while the consumer renews its own as often as it must."""

    def pass_two_leases(consumer: Consumer, clock: ManualClock) -> None:
        keeper, renewed_at = consumer.queues[0].lease_renewal, float("-inf")
        renew_really = keeper.renew

        def renew() -> None:
            nonlocal renewed_at
            began = clock()
            renew_really()
            renewed_at = began

        keeper.renew = renew
        for _ in range(3):
            clock.advance(consumer.lease * 0.9)
            eventually(lambda: renewed_at == clock(), "the leases are renewed")

    return pass_two_leases

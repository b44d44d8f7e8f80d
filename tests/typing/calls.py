"""What a type checker knows of the calls of decorated functions, and of their results. Nothing runs this file.

Each ``type: ignore`` is a mistake that has to be found: where none is, the comment itself is an error.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

import huey_django
from huey_core import AsyncData, Invoker, QueueCommand, crontab, periodic_command, queue_command
from huey_core.backends import BaseDataStore
from huey_core.commands import CommandOption, optional, seconds
from huey_core.invoker import DeferredInvoker
from huey_memory import MemoryDataStore, MemoryQueue

with_results = Invoker.from_url("redis://localhost/0")
without_results = Invoker.from_url("redis://localhost/0", result_store=None)
assert_type(without_results, Invoker[None])
assert_type(Invoker(MemoryQueue("mail"), MemoryDataStore("mail")), Invoker[MemoryDataStore])
assert_type(Invoker("memory://"), Invoker[None])
assert_type(Invoker("memory://", None, lease=5), Invoker[None])
assert_type(Invoker("memory://", result_store="memory://"), Invoker[BaseDataStore])


def either_invoker() -> Invoker:
    """A bare ``Invoker`` says nothing, and so may have no result store."""
    return with_results


@queue_command(with_results)
def add(a: int, b: int = 1) -> int:
    return a + b


@queue_command(with_results)
async def fetch(url: str) -> bytes:
    return url.encode()


@queue_command(without_results, retries=3, retry_delay=timedelta(minutes=1), unique_key="{a}")
def forget(a: int) -> int:
    return a


@queue_command(either_invoker())
async def perhaps(a: int) -> int:
    return a


GIVE_UP_AFTER = CommandOption("give_up_after", optional(seconds), None, help="Seconds after which no retry begins.")
assert_type(GIVE_UP_AFTER, CommandOption[float | None])


def giving_up(*, after: float) -> dict[str, Any]:
    """What a plugin offers users of type checkers, who could not name its options otherwise."""
    return {"give_up_after": after}


@queue_command(with_results, retries=3, **giving_up(after=60))
def patient(a: int) -> int:
    return a


assert_type(patient.command(1).options[GIVE_UP_AFTER], float | None)
assert_type(patient.using(priority=5, **giving_up(after=60))(1), AsyncData[int])
assert_type(patient.command(1).options.retries, int)


@queue_command(with_results, queue="mail")
def mail(to: str) -> str:
    return to


assert_type(mail("ann"), AsyncData[str])
assert_type(mail.using(queue="reports")("ann"), AsyncData[str])
assert_type(mail.using(queue=None)("ann"), AsyncData[str])
mail.using(queue=5)  # type: ignore[arg-type]
assert_type(with_results.on_queue("mail"), Invoker[BaseDataStore])
assert_type(with_results.on_queue("mail").enqueue(mail.command("ann")), AsyncData[str])


@queue_command(DeferredInvoker(lambda: with_results))
def later(a: int) -> int:
    return a


@periodic_command(with_results, crontab(minute="5"), missed="once", priority=5)
def tick() -> int:
    return 1


@periodic_command(either_invoker(), crontab())
async def tick_in_a_loop() -> int:
    return 1


@huey_django.queue_command
def save(pk: int) -> str:
    return str(pk)


@huey_django.queue_command(on_commit=False, retries=3)
async def save_in_a_loop(pk: int) -> str:
    return str(pk)


@huey_django.periodic_command(crontab())
def sweep() -> int:
    return 1


class Resize(QueueCommand):
    def execute(self) -> str:
        return "done"


class Download(QueueCommand):
    async def execute(self) -> bytes:
        return b""


class Untyped(QueueCommand): ...


class OwnInvoker(Invoker): ...


def store_or_none() -> BaseDataStore | str | None:
    """What a project's settings say."""
    return None


any_invoker: Invoker = Invoker("memory://", store_or_none())
assert_type(OwnInvoker("memory://"), OwnInvoker)


assert_type(with_results.enqueue(add.command(1)), AsyncData[int])
assert_type(with_results.enqueue(fetch.command("https://example.org")), AsyncData[bytes])
assert_type(with_results.enqueue(Resize()), AsyncData[str])
assert_type(with_results.enqueue(Download()), AsyncData[bytes])
assert_type(with_results.enqueue(Untyped()), AsyncData[Any])
assert_type(without_results.enqueue(Resize()), AsyncData[str] | None)
assert_type(either_invoker().enqueue(Download()), AsyncData[bytes] | None)
assert_type(with_results.enqueue_many(add.command(number) for number in range(3)), list[AsyncData[int]])
assert_type(with_results.enqueue_many([Download(), Download()]), list[AsyncData[bytes]])
assert_type(either_invoker().enqueue_many([Resize()]), list[AsyncData[str]] | list[None])
assert_type(OwnInvoker.from_url("memory://"), OwnInvoker)
assert_type(OwnInvoker.from_env(), OwnInvoker)
assert_type(Invoker.from_url("memory://"), Invoker[BaseDataStore])

assert_type(add(1), AsyncData[int])
assert_type(add.schedule((1,), delay=5), AsyncData[int])
assert_type(add.using(priority=5, retries=3)(1), AsyncData[int])
assert_type(fetch("https://example.org"), AsyncData[bytes])
assert_type(fetch.using(expires=timedelta(hours=1)).schedule(("https://example.org",)), AsyncData[bytes])
assert_type(forget(1), AsyncData[int] | None)
assert_type(perhaps(1), AsyncData[int] | None)
assert_type(later(1), AsyncData[int])
assert_type(tick(), AsyncData[int])
assert_type(tick_in_a_loop(), AsyncData[int] | None)
assert_type(save(1), AsyncData[str] | None)
assert_type(save_in_a_loop(1), AsyncData[str] | None)
assert_type(sweep(), AsyncData[int] | None)
assert_type(add(1).get(), int | None)
assert_type(add(1).get(blocking=True), int)
assert_type(add.using(timeout=5)(1).get(blocking=True), int)


async def call_in_loop() -> None:
    assert_type(await add.acall(1), AsyncData[int])
    assert_type(await add.aschedule((1,), delay=5), AsyncData[int])
    assert_type(await add.using(priority=5).acall(1, b=2), AsyncData[int])
    assert_type(await fetch.acall("https://example.org"), AsyncData[bytes])
    assert_type(await forget.acall(1), AsyncData[int] | None)
    assert_type(await perhaps.aschedule((1,)), AsyncData[int] | None)
    assert_type(await later.acall(1), AsyncData[int])
    assert_type(await tick.acall(), AsyncData[int])
    assert_type(await save.acall(1), AsyncData[str] | None)
    assert_type(await save_in_a_loop.using(on_commit=False).acall(1), AsyncData[str] | None)
    assert_type(await with_results.aenqueue(Resize()), AsyncData[str])
    assert_type(await with_results.aenqueue(Download()), AsyncData[bytes])
    assert_type(await with_results.on_queue("mail").aenqueue(add.command(1)), AsyncData[int])
    assert_type(await without_results.aenqueue(Resize()), AsyncData[str] | None)
    assert_type(await either_invoker().aenqueue(Download()), AsyncData[bytes] | None)
    assert_type(await with_results.aenqueue_many(add.command(number) for number in range(3)), list[AsyncData[int]])
    assert_type(await with_results.aenqueue_many([Download()]), list[AsyncData[bytes]])
    assert_type(await either_invoker().aenqueue_many([Resize()]), list[AsyncData[str]] | list[None])
    await (await add.acall(1)).arevoke(terminate=True)
    await add.acall("1")  # type: ignore[arg-type]
    await add.acall(1, c=2)  # type: ignore[call-arg]
    await add.aschedule(1)  # type: ignore[arg-type]
    await with_results.aenqueue(add)  # type: ignore[call-overload]


async def wait() -> None:
    assert_type(await add(1), int)
    assert_type(await fetch("https://example.org"), bytes)
    assert_type(await fetch.call_local("https://example.org"), bytes)


def takes_a_bare_invoker(invoker: Invoker) -> BaseDataStore | None:
    return invoker.result_store


takes_a_bare_invoker(with_results)
takes_a_bare_invoker(without_results)
wrong: Invoker[BaseDataStore] = without_results  # type: ignore[assignment]
OwnInvoker("memory://", result_store=store_or_none(), always_eager=True)
has_none: Invoker[BaseDataStore] = Invoker("memory://")  # type: ignore[assignment]
Invoker("memory://", lese=5)  # type: ignore[call-overload]
Invoker("memory://", serializer=5)  # type: ignore[call-overload]

with_results.enqueue("add")  # type: ignore[call-overload]
with_results.enqueue(add)  # type: ignore[call-overload]
add("1")  # type: ignore[arg-type]
add(1, c=2)  # type: ignore[call-arg]
fetch()  # type: ignore[call-arg]
forget(1).get()  # type: ignore[union-attr]
add.using(priorty=5)  # type: ignore[call-arg]
add.using(priority="high")  # type: ignore[arg-type]
add.using(countdown=5)  # type: ignore[call-arg]
add.schedule(1)  # type: ignore[arg-type]
add.schedule((1,), delay="5")  # type: ignore[arg-type]
add.schedule((1,), countdown=5)  # type: ignore[call-arg]
queue_command(with_results, retry_jitter="much")  # type: ignore[arg-type]
queue_command(with_results, retires=3)  # type: ignore[call-arg]
queue_command(with_results, give_up_after=3)  # type: ignore[call-arg]
giving_up(aftr=3)  # type: ignore[call-arg]
periodic_command(with_results, crontab(), retry_on=5)  # type: ignore[arg-type]
save.using(on_comit=True)  # type: ignore[call-arg]

"""What a type checker sees of the public interface. Type checkers read this file; nothing runs it.

Each ``type: ignore`` is a mistake that has to be found: where none is, the comment itself is an error.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import assert_type

from huey_core import (
    AsyncData,
    CallInfo,
    CallStatus,
    CommandRegistry,
    CommandRetry,
    Invoker,
    PeriodicQueueCommand,
    Progress,
    QueueCommand,
    crontab,
    current_command,
    every,
    hookimpl,
    periodic_command,
    queue_command,
)
from huey_core.backends import BaseDataStore, Delivery, Written
from huey_core.commands import Execution
from huey_core.consumer import BaseConfiguration
from huey_core.decorators import CommandFunction
from huey_memory import ManualClock, MemoryDataStore, MemoryQueue
from huey_redis import RedisDataStore, RedisQueue

invoker = Invoker.from_url("redis://localhost:6379/0?queue=mail")
assert_type(invoker, Invoker[BaseDataStore])
assert_type(Invoker.from_env(), Invoker[BaseDataStore])
Invoker(MemoryQueue("mail", clock=ManualClock()), MemoryDataStore("mail"), registry=CommandRegistry())
Invoker(RedisQueue("mail", host="localhost", port=6379), RedisDataStore("mail"), always_eager=True)
Invoker(6379)  # type: ignore[call-overload]


@queue_command(invoker, retries=3, retry_delay=10)
def send(to: str, copies: int = 1) -> list[str]:
    return [to] * copies


assert_type(send.call_local("a@example.org", copies=2), list[str])
send("a@example.org")
send.using(priority=5)("a@example.org", copies=2)
send.schedule(args=("a@example.org",), eta=datetime(2030, 1, 1))
send.schedule(args=("a@example.org",), delay=timedelta(minutes=1))
send()  # type: ignore[call-arg]
send(5)  # type: ignore[arg-type]
send.using(priority=5)("a@example.org", copies="2")  # type: ignore[arg-type]
send.command(to=None)  # type: ignore[arg-type]
queue_command(invoker, retries="3")  # type: ignore[arg-type]


@periodic_command(invoker, crontab(hour="3", minute=0))
def clean_up() -> int:
    return 1


invoker.schedules.add("nightly", send.command("a@example.org"), crontab(hour=3, minute=0), missed="once")
invoker.schedules.add("weekly", clean_up, every(hours=168), overlap="skip")
invoker.schedules.add("nightly", send, crontab(hour=3, minute=0))  # type: ignore[arg-type]
invoker.schedules.add("nightly", clean_up, lambda moment: True)  # type: ignore[arg-type]
assert_type(invoker.schedules.get("nightly").next_run, float | None)


assert_type(clean_up, CommandFunction[[], int, AsyncData[int]])
assert_type(clean_up.call_local(), int)
clean_up(1)  # type: ignore[call-arg]


@periodic_command(invoker, crontab())  # type: ignore[arg-type]
def needs_an_argument(number: int) -> None: ...


@periodic_command(invoker, crontab.parse("*/5 9-17 * * mon-fri", tz="Europe/Paris"), missed="once", overlap="skip")
def look_around() -> int:
    return 1


@periodic_command(invoker, every(timedelta(seconds=30)))
def blink() -> None: ...


@periodic_command(invoker, lambda at: at.minute == 0)
def strike() -> None: ...


class Monthly:
    def next_after(self, utc: datetime) -> datetime | None:
        return None


@periodic_command(invoker, Monthly())
def settle_up() -> None: ...


periodic_command(invoker, "0 3 * * *")  # type: ignore[arg-type]
every(minutes="1")  # type: ignore[arg-type]
assert_type(crontab(minute=0).next_after(datetime(2030, 1, 1)), datetime | None)


def ask_again() -> None:
    current_command().progress(1, 2.5, note="halfway")
    current_command().progress("half")  # type: ignore[arg-type]
    raise CommandRetry(delay=timedelta(minutes=1), max_retries=current_command().retry_count + 1)


class Greet(QueueCommand):
    def execute(self) -> str:
        return f"hello {self.get_data()}"


class Tick(PeriodicQueueCommand):
    def execute(self) -> None: ...

    def validate_datetime(self, dt: datetime) -> bool:
        return dt.minute == 0


async def read(result: AsyncData[int]) -> None:
    assert_type(result.get(), int | None)
    assert_type(result.get(blocking=True, timeout=5), int)
    assert_type(await result, int)
    assert_type(result.status(), CallStatus)
    assert_type(result.info(), CallInfo)
    assert_type(result.info().began_at, float | None)
    assert_type(result.progress(), Progress | None)
    assert_type([progress.fraction for progress in result.watch_progress(timeout=5)], list[float | None])
    assert_type([progress async for progress in result.watch_progress()], list[Progress])
    result.get(timeout="5")  # type: ignore[call-overload]
    result.revoke(terminate=True)
    result.revoke(terminate="yes")  # type: ignore[arg-type]


def claim(queue: RedisQueue) -> None:
    assert_type(queue.claim(10, 60).deliveries, list[Delivery])
    assert_type(queue.write(b"data", priority=1), Written)
    queue.write("text")  # type: ignore[arg-type]


class Timing:
    @hookimpl(wrapper=True)
    def huey_execute(self, invoker: Invoker, command: QueueCommand) -> Generator[None, Execution, Execution]:
        return (yield)


class Configuration(BaseConfiguration):
    INVOKER = invoker
    THREADS = 8


class WrongConfiguration(BaseConfiguration):
    THREADS = "8"  # type: ignore[assignment]

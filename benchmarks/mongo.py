"""Measure huey-mongo beside the raw protocol of the driver and celery, on one server and with one write concern.

    python benchmarks/mongo.py [--replica-set] [--w majority] [--rounds 3] [--messages 2000] [--folder /var/tmp]

The contestants take turns, so that noise of the machine hits them alike, and the best round of each counts:

* ``raw``: what any queue with leases and results has to send, and nothing else, in a bare loop of pymongo: an
  insertion; a query, an update and a query for a claim of 64; an insertion of results and a deletion to settle it;
* ``huey``: commands of huey-core through huey-mongo, with everything that this project promises. Its consumer is a
  process of its own with the default settings;
* ``celery``: the same with celery's MongoDB transport and result backend, two threads in the worker, when the package
  celery is installed. It delivers at most once.

A private server is started, with its data in ``--folder``, which should be on the disk that is meant.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from pymongo import DeleteOne, InsertOne, MongoClient

from huey_core import Invoker, queue_command
from huey_core.consumer import BaseConfiguration
from huey_mongo.testing import MongoReplicaSet, MongoServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BATCH: Final = 100
CLAIM: Final = 64
CALLS: Final = 50
URL_VARIABLE: Final = "BENCHMARK_MONGO_URL"
BODY: Final = os.urandom(120)
PATIENCE: Final = 300.0

Figures = dict[str, list[float]]


class Contestant(Protocol):
    """One way to run commands through MongoDB."""

    name: ClassVar[str]

    def enqueue(self, count: int) -> None:
        """Send commands one by one."""

    def enqueue_many(self, count: int) -> None:
        """Send commands 100 at a time, where there is a way to do that."""

    def work(self) -> Any:
        """Run what was sent, for the duration of a block."""

    def done(self) -> int:
        """Count the results."""

    def call(self) -> None:
        """Send one command and wait for its result, while the worker is idle."""


class Raw:
    """The protocol without a library, and with no more indexes than it needs."""

    name: ClassVar[str] = "raw"

    def __init__(self, url: str) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(url)
        self._queue = client["raw"]["queue"]
        self._results = client["raw"]["results"]
        self._queue.create_index([("state", 1), ("at", 1)])
        self._arrived = threading.Event()

    def enqueue(self, count: int) -> None:
        """Insert documents one by one."""
        for number in range(count):
            self._queue.insert_one({"state": "ready", "at": time.time(), "body": BODY, "number": number})

    def enqueue_many(self, count: int) -> None:
        """Insert documents 100 at a time."""
        for _ in range(count // BATCH):
            self._queue.insert_many([{"state": "ready", "at": time.time(), "body": BODY} for _ in range(BATCH)])

    @contextmanager
    def work(self) -> Iterator[None]:
        """Claim and settle in a thread of this process."""
        ending = threading.Event()
        thread = threading.Thread(target=self._consume, args=(ending,))
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()

    def done(self) -> int:
        """Count the results."""
        return self._results.estimated_document_count()

    def call(self) -> None:
        """Insert one document and wait until it is settled; nothing is faster than to be told in the same process."""
        self._arrived.clear()
        self._queue.insert_one({"state": "ready", "at": time.time(), "body": BODY})
        self._arrived.wait(PATIENCE)

    def _consume(self, ending: threading.Event) -> None:
        while not ending.is_set():
            found = self._queue.find({"state": "ready"}, {"_id": 1}).sort("at", 1).limit(CLAIM)
            ids = [document["_id"] for document in found]
            if not ids:
                time.sleep(0.005)
                continue
            token = os.urandom(8).hex()
            self._queue.update_many(
                {"_id": {"$in": ids}, "state": "ready"}, {"$set": {"state": "running", "token": token}}
            )
            claimed = list(self._queue.find({"_id": {"$in": ids}, "token": token}))
            self._results.bulk_write(
                [InsertOne({"of": each["_id"], "result": b"1"}) for each in claimed], ordered=False
            )
            self._queue.bulk_write([DeleteOne({"_id": each["_id"], "token": token}) for each in claimed], ordered=False)
            self._arrived.set()


invoker = Invoker.from_url(os.environ.get(URL_VARIABLE, "mongodb://localhost/huey"))


@queue_command(invoker)
def noop(number: int) -> int:
    """Return the number that it is given."""
    return number


class Configuration(BaseConfiguration):
    """The default settings, without the clock of the periodic commands, as with the peers."""

    INVOKER = invoker
    PERIODIC = False


class Huey:
    """huey-core with huey-mongo."""

    name: ClassVar[str] = "huey"

    def __init__(self, url: str) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(url)
        self._documents = client["huey"]["huey"]

    def enqueue(self, count: int) -> None:
        """Call the command in a loop."""
        for number in range(count):
            noop(number)

    def enqueue_many(self, count: int) -> None:
        """Send 100 calls at a time."""
        for _ in range(count // BATCH):
            invoker.enqueue_many(noop.command(number) for number in range(BATCH))

    def work(self) -> Any:
        """Run a consumer."""
        return _process("-m", "huey_core", "consumer", "mongo.Configuration", "--quiet")

    def done(self) -> int:
        """Count the results."""
        return self._documents.count_documents({"store": {"$exists": True}})

    def call(self) -> None:
        """Call the command and wait for its result."""
        noop(1).get(blocking=True, timeout=60)


class Celery:
    """celery, as its documentation sets it up for MongoDB."""

    name: ClassVar[str] = "celery"

    def __init__(self, url: str) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(url)
        self._results = client["celery"]["celery_taskmeta"]
        self._app = celery_app()

    def enqueue(self, count: int) -> None:
        """Send tasks in a loop."""
        for number in range(count):
            self._app.send_task("noop", (number,))

    def enqueue_many(self, count: int) -> None:
        """Send tasks in a loop: there is no other way."""
        self.enqueue(count)

    def work(self) -> Any:
        """Run a worker with two threads."""
        worker = ("worker", "--pool", "threads", "--concurrency", "2", "--loglevel", "error", "--without-gossip")
        return _process("-m", "celery", "-A", "mongo:celery_worker", *worker)

    def done(self) -> int:
        """Count the results."""
        return self._results.estimated_document_count()

    def call(self) -> None:
        """Send a task and wait for its result."""
        self._app.send_task("noop", (1,)).get(timeout=60, interval=0.005)


def celery_app() -> Any:
    """Make the application of celery, on the server that the environment names."""
    # Not typed, and not always there.
    application_class: Any = importlib.import_module("celery").Celery
    url = os.environ[URL_VARIABLE].replace("/huey?", "/celery?")
    application = application_class("benchmark", broker=url, backend=url)
    application.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)
    application.task(noop.function, name="noop")
    return application


def __getattr__(name: str) -> Any:
    # Only a worker of celery asks for this, so that the others need no celery.
    if name == "celery_worker":
        return celery_app()
    raise AttributeError(name)


@contextmanager
def _process(*arguments: str) -> Iterator[None]:
    """Run a program of this interpreter beside this one, for the duration of a block."""
    folder = os.path.dirname(os.path.abspath(__file__))
    environment = {**os.environ, "PYTHONPATH": folder}
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _measure(contestant: Contestant, messages: int, figures: Figures) -> None:
    singles = max(messages // 10, BATCH)
    begin = contestant.done()
    figures["enqueue one by one, 1/s"].append(singles / _seconds(lambda: contestant.enqueue(singles)))
    figures["enqueue 100 at a time, 1/s"].append(messages / _seconds(lambda: contestant.enqueue_many(messages)))
    with contestant.work():
        # From the first result on: what a process needs to start is not the question.
        _wait(lambda: contestant.done() > begin)
        first, started = contestant.done(), time.perf_counter()
        _wait(lambda: contestant.done() >= begin + singles + messages)
        rate = (begin + singles + messages - first) / (time.perf_counter() - started)
        figures["drain with results, 1/s"].append(rate)
        latencies = []
        for _ in range(CALLS):
            time.sleep(0.05)
            latencies.append(1000 * _seconds(contestant.call))
        figures["call to result, idle, p50 ms"].append(statistics.median(latencies))
        figures["call to result, idle, p99 ms"].append(max(latencies))


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"no progress within {PATIENCE:g} s")
        time.sleep(0.02)


def _contestants(url: str) -> list[Contestant]:
    contestants: list[Contestant] = [Raw(url), Huey(url)]
    try:
        contestants.append(Celery(url))
    except ImportError:
        print("celery is not installed, so it is left out.")
    return contestants


def _idle_operations(url: str, huey: Contestant, seconds: float) -> float:
    """Count what the server is asked for by an idle consumer, beyond what its members ask each other."""

    def asked() -> int:
        counters = client.admin.command("serverStatus")["opcounters"]
        return sum(int(counters[name]) for name in ("query", "insert", "update", "delete", "getmore", "command"))

    client: MongoClient[dict[str, Any]] = MongoClient(url)
    with closing(client):
        # Opened before, so that its own look at the server is counted in both.
        begin = asked()
        time.sleep(seconds)
        without = asked() - begin
        with huey.work():
            time.sleep(4)
            begin = asked()
            time.sleep(seconds)
            return (asked() - begin - without) / seconds


def main() -> None:
    """Start a server, and measure in another process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replica-set", action="store_true", help="three members instead of a standalone server")
    parser.add_argument("--w", default="majority", help="the write concern: majority (with the journal), or 1")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="where the server keeps its data")
    options = parser.parse_args()
    if URL_VARIABLE in os.environ:
        compare(os.environ[URL_VARIABLE], options.rounds, options.messages)
        return
    with ExitStack() as stack:
        servers = MongoReplicaSet(parent=options.folder) if options.replica_set else MongoServer(parent=options.folder)
        stack.enter_context(servers)
        durability = {"w": options.w, "journal": "true" if options.w == "majority" else "false"}
        url = servers.url("huey", **durability)
        # This program again, which finds the server in its environment when its commands are defined.
        environment = {**os.environ, URL_VARIABLE: url}
        subprocess.run([sys.executable, *sys.argv], env=environment, check=True)


def compare(url: str, rounds: int, messages: int) -> None:
    """Let the contestants take turns on the server that was started, and print a table."""
    contestants = _contestants(url)
    figures: dict[str, Figures] = {}
    for number in range(rounds):
        for contestant in contestants:
            print(f"round {number + 1} of {rounds}: {contestant.name}", file=sys.stderr)
            row = figures.setdefault(contestant.name, {name: [] for name in ROWS})
            _measure(contestant, messages, row)
    print(f"{'':30}" + "".join(f"{contestant.name:>12}" for contestant in contestants))
    for name, best in ROWS.items():
        values = (best(figures[contestant.name][name]) for contestant in contestants)
        print(f"{name:30}" + "".join(f"{value:12,.1f}" for value in values))
    print(f"operations a second of an idle consumer of huey: {_idle_operations(url, contestants[1], 10):.1f}")


ROWS: Final[dict[str, Callable[[list[float]], float]]] = {
    "enqueue one by one, 1/s": max,
    "enqueue 100 at a time, 1/s": max,
    "drain with results, 1/s": max,
    "call to result, idle, p50 ms": min,
    "call to result, idle, p99 ms": min,
}
"""What is measured, and which of the rounds counts."""


if __name__ == "__main__":
    main()

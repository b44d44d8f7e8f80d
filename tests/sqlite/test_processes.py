"""Several processes on one file: a kill loses nothing, at whatever moment. The conformance kit shows the rest."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from huey_core.backends.base import EmptyData
from huey_core.backends.messages import Message, State
from killed_reporter import check_that_another_consumer_reports

MINUTE = 60.0

CHAIN_FOR_EVER = """
import sys
from huey_core.backends.messages import Message
from huey_core.backends.outcomes import Ack, ResultWrite
from huey_sqlite import SQLiteDataStore, SQLiteQueue

queue = SQLiteQueue("q", path=sys.argv[1], max_deliveries=1000)
store = SQLiteDataStore("r", database=queue.database)
deliveries = queue.claim(4, 0.1, wait=60.0).deliveries
print("busy", flush=True)
while True:
    for delivery in deliveries:
        number = int(delivery.data)
        result = ResultWrite(store, str(number), b"done")
        queue.settle([Ack(delivery, result, (Message(b"%d" % (number + 4)),))])
    deliveries = queue.claim(4, 0.1, wait=1.0).deliveries
"""

STOP_IN_A_TRANSACTION = """
import sys, time
from huey_core.backends.messages import Message, State
from huey_sqlite import SQLiteQueue
from huey_sqlite.messages import Messages

queue = SQLiteQueue("q", path=sys.argv[1])
with queue.database.write() as transaction:
    # More than fits into SQLite's cache, so that a part has already been written to the log.
    for number in range(100):
        Messages(transaction, "q").write_all([Message(bytes(100_000))], time.time())
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def start(path):
    """Start a program on the file; what still runs at the end of the test is killed."""
    started = []

    def run(code):
        process = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def check_integrity(path):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_kill_in_the_middle_of_a_transaction_leaves_no_trace_of_it(start, make_queue, path):
    queue = make_queue()
    queue.write(b"before")
    process = start(STOP_IN_A_TRANSACTION)
    assert process.stdout.readline() == "ready\n"

    process.kill()
    process.wait()

    assert queue.counts().ready == 1
    assert queue.write(b"after").created
    assert [queue.read(), queue.read(), queue.read()] == [b"before", b"after", None]
    check_integrity(path)


def test_kills_at_any_moment_split_no_end_of_a_message(start, make_queue, make_data_store, path):
    queue, store = make_queue(), make_data_store()
    queue.write_many([Message(b"%d" % number) for number in range(4)])
    moments = random.Random(1)

    for _ in range(12):
        process = start(CHAIN_FOR_EVER)
        assert process.stdout.readline() == "busy\n"
        time.sleep(moments.uniform(0.0, 0.1))  # the moment of the kill, not a wait for something
        process.kill()
        process.wait()

    check_integrity(path)
    left = queue.peek(State.READY) + queue.peek(State.RUNNING)
    heads = {number % 4: number for number in (int(message.data) for message in left)}
    assert len(left) == len(heads) == 4
    # Each link of a chain was written with the result of the one before, so no result is missing and none is early.
    for chain, head in heads.items():
        assert store.peek(str(head)) is EmptyData
        assert all(store.peek(str(number)) == b"done" for number in range(chain, head, 4))


def test_a_dead_letter_that_a_killed_consumer_did_not_report_is_reported_by_another(path):
    check_that_another_consumer_reports(f"sqlite:///{path}?max_deliveries=1")

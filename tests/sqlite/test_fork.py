"""A process that was forked opens the file anew, and what it commits stays."""

from __future__ import annotations

import os
import threading

import pytest

from huey_core.backends.leased import Ack

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def fork(function):
    """Run a function in a forked child; return what waits for it and says whether it returned something true."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if function() else 1
        finally:
            os._exit(status)
    return lambda: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_what_a_child_commits_outlives_the_connections_of_its_parent(make_queue):
    queue = make_queue()
    queue.write(b"before the fork")
    child_reads, parent_writes = os.pipe()
    parent_reads, child_writes = os.pipe()

    def child():
        queue.write(b"while the parent has it open")
        os.write(child_writes, b".")
        os.read(child_reads, 1)
        return queue.write(b"after the parent has closed it").created

    finished = fork(child)
    os.read(parent_reads, 1)
    queue.database.close()
    os.write(parent_writes, b".")

    assert finished()
    assert len(make_queue()) == 3


def test_parent_and_child_use_one_queue_side_by_side(make_queue):
    queue = make_queue()
    queue.write(b"for the child")

    def child():
        (delivery,) = queue.claim(1, 60.0, wait=5.0)
        return delivery.data == b"for the child" and queue.settle([Ack(delivery)]) == [True] and queue.write(b"back")

    assert fork(child)()
    assert queue.read() == b"back"


def test_forks_amid_threads_that_write_disturb_neither_side(make_queue):
    queue = make_queue()
    finish = threading.Event()
    written = []

    def write_until_told():
        while not finish.is_set():
            written.append(queue.write(b"parent").created)

    threads = [threading.Thread(target=write_until_told) for _ in range(3)]
    for thread in threads:
        thread.start()
    children = [fork(lambda: queue.write(b"child").created) for _ in range(10)]
    finished = [child() for child in children]
    finish.set()
    for thread in threads:
        thread.join(20)

    assert finished == [True] * 10
    assert len(queue) == len(written) + 10


def test_a_child_watches_on_its_own(make_data_store):
    store = make_data_store()
    told = threading.Event()
    store.watch("k", told.set)

    def child():
        heard = threading.Event()
        store.watch("k", heard.set)
        store.put("k", b"1")
        return heard.wait(10)

    assert fork(child)()
    assert told.wait(10)


def test_a_child_forked_while_another_thread_waits_can_wait_and_be_woken(make_queue):
    queue = make_queue()
    waiter = threading.Thread(target=queue.claim, args=(1, 60.0, 30.0))
    waiter.start()

    def child():
        thread = threading.Thread(target=queue.claim, args=(1, 60.0, 30.0))
        thread.start()
        queue.wake()
        thread.join(10)
        return not thread.is_alive()

    assert fork(child)()
    queue.wake()
    waiter.join(10)
    assert not waiter.is_alive()

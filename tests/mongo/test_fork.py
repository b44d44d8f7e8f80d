"""A process that was forked has a client of its own."""

from __future__ import annotations

import os
import threading

import pytest

from huey_core.backends.leased import Ack

pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def in_child(function):
    """Run a function in a forked child and return whether it returned something true."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if function() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_child_has_a_client_of_its_own(backend):
    backend.ping()
    mine = backend._cluster.client
    assert in_child(lambda: backend._cluster.client is not mine)
    assert backend._cluster.client is mine


def test_parent_and_child_use_one_queue_side_by_side(queue):
    queue.write(b"for the child")

    def child():
        (delivery,) = queue.claim(1, 60.0, wait=5.0)
        return delivery.data == b"for the child" and queue.settle([Ack(delivery)]) == [True] and queue.write(b"back")

    assert in_child(child)
    assert queue.read() == b"back"


def test_a_child_watches_on_its_own(store):
    told = threading.Event()
    store.watch("k", told.set)

    def child():
        heard = threading.Event()
        store.watch("k", heard.set)
        store.put("k", b"1")
        return heard.wait(10)

    assert in_child(child)
    assert told.wait(10)


def test_a_child_forked_while_another_thread_waits_can_wait_and_be_woken(queue):
    waiter = threading.Thread(target=queue.claim, args=(1, 60.0, 30.0))
    waiter.start()

    def child():
        thread = threading.Thread(target=queue.claim, args=(1, 60.0, 30.0))
        thread.start()
        queue.wake()
        thread.join(10)
        return not thread.is_alive()

    assert in_child(child)
    queue.wake()
    waiter.join(10)
    assert not waiter.is_alive()

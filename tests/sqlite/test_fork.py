"""A process that was forked opens the file anew, and what it commits stays; the conformance kit shows the rest."""

from __future__ import annotations

import gc
import os
import threading

from huey_sqlite.database import Database
from huey_sqlite.settings import Settings
from huey_testing.conformance._forking import Child


def test_what_a_child_commits_outlives_the_connections_of_its_parent(make_queue):
    queue = make_queue()
    queue.write(b"before the fork")
    child_reads, parent_writes = os.pipe()
    parent_reads, child_writes = os.pipe()

    def write_while_the_parent_closes():
        queue.write(b"while the parent has it open")
        os.write(child_writes, b".")
        os.read(child_reads, 1)
        return queue.write(b"after the parent has closed it").created

    with Child(write_while_the_parent_closes) as child:
        os.read(parent_reads, 1)
        queue.database.close()
        os.write(parent_writes, b".")
        assert child.result(20) is True

    assert len(make_queue()) == 3


def test_a_fork_waits_for_a_thread_that_uses_a_file_which_the_program_has_let_go(path):
    database = Database(Settings(path=str(path)))
    pool = database._pool
    is_lent = threading.Event()

    def use_for_a_while():
        with pool.lend() as connection:
            is_lent.set()
            connection.execute("SELECT 1").fetchone()
            threading.Event().wait(0.3)

    user = threading.Thread(target=use_for_a_while)
    user.start()
    assert is_lent.wait(20)
    del database
    gc.collect()

    # In a child, what a thread of its parent was using at the fork is an error.
    with Child(lambda: pool._shelves() is not None) as child:
        assert child.result(20) is True
    user.join(20)

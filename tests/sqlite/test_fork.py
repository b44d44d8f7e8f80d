"""A process that was forked opens the file anew, and what it commits stays; the conformance kit shows the rest."""

from __future__ import annotations

import os

from huey_core.testing.conformance._forking import Child


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

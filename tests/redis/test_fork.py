"""A process that was forked has connections of its own; the conformance kit shows what that is for."""

from __future__ import annotations

from huey_testing.conformance._forking import Child


def client_id(queue):
    return queue._connections.call("CLIENT", "ID")


def test_a_child_talks_over_connections_of_its_own(make_queue):
    queue = make_queue("fork")
    mine = client_id(queue)

    with Child(lambda: client_id(queue)) as child:
        assert child.result(20) != mine

    assert client_id(queue) == mine

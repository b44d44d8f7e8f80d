"""A process that was forked has a client of its own; the conformance kit shows what that is for."""

from __future__ import annotations

from huey_testing.conformance._forking import Child


def test_a_child_has_a_client_of_its_own(backend):
    backend.ping()
    mine = backend._cluster.client

    with Child(lambda: backend._cluster.client is not mine) as child:
        assert child.result(20) is True

    assert backend._cluster.client is mine

"""The server that the browser looks at bears requests that outlive a test."""

from __future__ import annotations


def test_each_thread_of_the_server_has_a_connection_of_its_own(live_server):
    assert live_server.thread.connections_override == {}

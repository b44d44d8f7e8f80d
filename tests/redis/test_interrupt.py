"""A flag and its descriptor say the same to the thread that waits."""

from __future__ import annotations

import os
import threading

from huey_redis.interrupt import Interrupt


def test_a_thread_woken_by_the_descriptor_finds_the_flag_set(monkeypatch):
    interrupt = Interrupt()
    seen = []
    really_write = os.write

    def write_and_look(descriptor, data):
        written = really_write(descriptor, data)
        waiting = threading.Thread(target=lambda: seen.append((interrupt.wait(60), interrupt.is_set())))
        waiting.start()
        waiting.join(60)
        return written

    monkeypatch.setattr("huey_redis.interrupt.os.write", write_and_look)
    interrupt.set()
    interrupt.close()
    assert seen == [(True, True)]


def test_a_cleared_flag_can_be_set_again():
    interrupt = Interrupt()
    interrupt.set()
    interrupt.clear()
    assert not interrupt.wait(0)
    interrupt.set()
    assert interrupt.wait(0)
    interrupt.close()

"""Many messages, and large ones."""

from __future__ import annotations

from deployment import await_condition
from huey_core.serializers.base import DEFAULT_MAX_BODY_SIZE

MIB = 2**20


def test_the_memory_of_a_consumer_stays_bounded_over_a_hundred_thousand_messages(deployment):
    consumer = deployment.start()
    deployment.main.measure("warm").get(blocking=True, timeout=60)
    before = consumer.peak_memory()
    text = "x" * 1024

    for _ in range(20):
        deployment.invoker.enqueue_many([deployment.main.swallow.command(text) for _ in range(5000)])

    def is_empty():
        counts = deployment.queue.counts()
        return counts.ready + counts.running == 0

    await_condition(is_empty, "the queue is empty", timeout=240)
    assert deployment.queue.counts().dead == 0
    assert consumer.peak_memory() - before < 60 * MIB


def test_a_message_as_large_as_a_body_may_be_passes(deployment):
    deployment.start()
    size = DEFAULT_MAX_BODY_SIZE - len('[[""],{}]')

    assert deployment.main.measure("x" * size).get(blocking=True, timeout=120) == size


def test_the_memory_of_a_consumer_stays_bounded_over_large_messages_that_are_quickly_done(deployment):
    consumer = deployment.start()
    deployment.main.measure("x" * MIB).get(blocking=True, timeout=60)
    before = consumer.peak_memory()
    deployment.queue.pause()
    for _ in range(20):
        deployment.invoker.enqueue_many([deployment.main.swallow.command("x" * MIB) for _ in range(10)])

    deployment.queue.resume()

    await_condition(lambda: deployment.queue.counts().ready == 0, "the queue is empty", timeout=240)
    assert consumer.peak_memory() - before < 100 * MIB

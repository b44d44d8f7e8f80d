"""The kit finds what is broken, says what a user would suffer, and asks no backend for what it does not declare."""

from __future__ import annotations

from pathlib import Path

import pytest

from huey_testing.conformance import ServerConformance
from mutants import assert_caught, mutants

pytest_plugins = ["pytester"]

HERE = Path(__file__).parents[1]

QUEUE = """
    from hypothesis import settings
    from huey_testing.conformance import QueueConformance
    from kit import ByAClockThatMoves
    from {module} import {cls}

    class Test{cls}(ByAClockThatMoves, QueueConformance):
        queue_class = {cls}
        deadline = 0.5
        histories = settings(QueueConformance.histories, max_examples=1000, derandomize=True)
"""

# A clock that is moved wakes whoever waits.
WAITS = """
    import pytest
    from huey_testing.conformance import QueueConformance
    from huey_memory import MemoryDataStore
    from {module} import {cls}

    class Test{cls}(QueueConformance):
        lease = 0.1
        deadline = 0.5

        @pytest.fixture
        def make_queue(self):
            return {cls}

        @pytest.fixture
        def make_data_store(self):
            return MemoryDataStore
"""

DATA_STORE = """
    from huey_testing.conformance import DataStoreConformance
    from kit import ByAClockThatMoves
    from {module} import {cls}

    class Test{cls}(ByAClockThatMoves, DataStoreConformance):
        data_store_class = {cls}
        deadline = 0.5
"""

BACKEND = """
    import pytest
    from huey_core.plugins.backends import backend_class, register_backend
    from huey_testing.conformance import BackendConformance
    from {module} import {cls}

    class Test{cls}(BackendConformance):
        deadline = 0.5

        @pytest.fixture
        def url(self):
            original = backend_class("memory")
            register_backend({cls}, replace=True)
            yield "memory://broken/"
            register_backend(original, replace=True)
"""

BACKEND_ON_DISK = """
    import pytest
    from huey_core.plugins.backends import backend_class, register_backend
    from huey_testing.conformance import BackendConformance
    from {module} import {cls}

    class Test{cls}(BackendConformance):
        deadline = 2.0

        @pytest.fixture
        def url(self, tmp_path):
            original = backend_class("sqlite")
            register_backend({cls}, replace=True)
            yield f"sqlite:///{{tmp_path}}/queue.db"
            register_backend(original, replace=True)
"""

SERVER = """
    import pytest
    from huey_core.plugins.backends import backend_class, register_backend
    from huey_testing.conformance import ServerConformance
    from huey_redis.testing import RedisServer
    from {module} import {cls}

    class Test{cls}(ServerConformance):
        deadline = 2.0

        @pytest.fixture
        def server(self):
            with RedisServer(appendonly=getattr({cls}, "appendonly", True)) as server:
                yield server

        @pytest.fixture
        def url(self, server):
            original = backend_class("redis")
            register_backend({cls}, replace=True)
            yield server.url(socket_timeout=getattr({cls}, "timeout", "1"))
            register_backend(original, replace=True)
"""

SLOW = """
    import random
    from functools import partial

    from huey_testing.conformance import QueueConformance
    from kit import ByAClockThatMoves
    from slow_queue import SlowQueue

    class TestSlow(ByAClockThatMoves, QueueConformance):
        queue_class = staticmethod(partial(SlowQueue, chance=random.Random({seed})))
"""

BESIDE_OTHERS = """
    import sqlite3
    from concurrent.futures import ThreadPoolExecutor

    import pytest
    from huey_core.plugins.backends import backend_class, register_backend
    from huey_testing.conformance import BackendConformance
    from huey_memory import MemoryBackend

    class TestBesideOthers(BackendConformance):
        @pytest.fixture
        def url(self):
            with ThreadPoolExecutor(1) as other:
                other.submit(int).result()

                class ConnectedElsewhereMeanwhile(MemoryBackend):
                    def __init__(self, url):
                        super().__init__(url)
                        other.submit(lambda: sqlite3.connect(":memory:").close()).result()

                original = backend_class("memory")
                register_backend(ConnectedElsewhereMeanwhile, replace=True)
                yield "memory://beside-others/"
                register_backend(original, replace=True)
"""

PLAIN = """
    import pytest
    from huey_testing.conformance import DataStoreConformance, QueueConformance
    from plain import PlainDataStore, PlainQueue

    class TestPlainQueue(QueueConformance):
        @pytest.fixture
        def make_queue(self):
            return PlainQueue

    class TestPlainDataStore(DataStoreConformance):
        @pytest.fixture
        def make_data_store(self):
            return PlainDataStore
"""

FAILS_IN_THE_FIFTH_HISTORY = """
    import pytest
    from huey_core.backends import Written
    from huey_memory import MemoryQueue
    from huey_testing.conformance import QueueConformance

    class TestBroken(QueueConformance):
        @pytest.fixture
        def make_queue(self):
            made = []

            class WritesNothingFromTheFifthOn(MemoryQueue):
                def write_many(self, messages):
                    if made.index(self) < 4:
                        return super().write_many(messages)
                    return [Written(False, message.message_id) for message in messages]

            def make(name, **options):
                # The kit makes queues for other reasons too, but its histories alone set a limit.
                queue = WritesNothingFromTheFifthOn(name, **options)
                if options:
                    made.append(queue)
                return queue

            yield make
            print(f"{len(made)} histories were played")

        @pytest.fixture
        def make_data_store(self):
            from huey_memory import MemoryDataStore
            return MemoryDataStore
"""

KITS = {
    "broken_queues": QUEUE,
    "broken_outcomes": QUEUE,
    "broken_joins": QUEUE,
    "broken_beside": QUEUE,
    "broken_frees": QUEUE,
    "broken_transfers": QUEUE,
    "broken_waits": WAITS,
    "broken_results": QUEUE,
    "broken_data_stores": DATA_STORE,
    "broken_backends": BACKEND,
    "broken_backends_on_disk": BACKEND_ON_DISK,
    "broken_servers": SERVER,
}
MUTANTS = [mutant for module, kit in KITS.items() for mutant in mutants(HERE / f"{module}.py", lambda _, kit=kit: kit)]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_is_broken_is_caught_by_its_test(reports):
    assert_caught(reports)


def test_a_history_that_fails_is_shown_call_by_call_and_not_searched_for_a_shorter_one(run_kit):
    result = run_kit(FAILS_IN_THE_FIFTH_HISTORY, one="test_random_histories_go_as_the_contract_says")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*state.call(call=_Write(*", "[5-9] histories were played"])


def test_every_test_of_a_server_is_seen_to_fail():
    tests = {name for name in dir(ServerConformance) if name.startswith("test_")}
    assert {
        mutant.test for (mutant,) in (each.values for each in MUTANTS) if mutant.module == "broken_servers"
    } == tests


# Histories and many queues take long where every call is slow, and have nothing to do with one that is late.
NOT_ABOUT_TIME = "histories or look_alike or leaves_other or MiB or many"


@pytest.mark.parametrize("seed", range(3))
def test_a_machine_that_stalls_at_any_call_fails_no_test(run_kit, seed):
    outcomes = run_kit(SLOW.format(seed=seed), "-k", f"not ({NOT_ABOUT_TIME})").parseoutcomes()
    assert set(outcomes) == {"passed", "skipped", "deselected"}
    assert outcomes["passed"] > 100


def test_connections_of_other_threads_are_not_taken_for_the_backends(run_kit):
    run_kit(BESIDE_OTHERS, one="test_nothing_connects_before_the_first_call").assert_outcomes(passed=1)


def test_a_plain_backend_is_asked_for_what_it_promises_and_no_more(run_kit):
    result = run_kit(PLAIN)
    outcomes = result.parseoutcomes()
    assert set(outcomes) == {"passed", "skipped"}
    assert outcomes["passed"] > 80


def test_a_promise_that_is_not_made_is_skipped_with_its_meaning(run_kit):
    result = run_kit(PLAIN, "-k", "PlainQueue and not_early")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["*DELAY is not declared: A message with an eta is kept by the server until it is due."]
    )


def test_a_subclass_without_its_fixture_is_told_which_one(run_kit):
    module = """
        from huey_testing.conformance import QueueConformance

        class TestForgetful(QueueConformance):
            pass
    """
    result = run_kit(module, one="test_an_empty_queue_reads_as_none")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*TestForgetful needs a fixture make_queue*"])

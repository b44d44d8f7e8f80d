"""Worker pools by name."""

from __future__ import annotations

import pytest

from huey_core.consumer import Consumer
from huey_core.consumer.pools import ThreadPool
from huey_core.consumer.pools.asyncio import AsyncioPool
from huey_core.consumer.pools.process import ProcessPool
from huey_core.exceptions import PluginConflict, PluginIncompatible, PluginLoadError, PluginNotFound
from huey_core.plugins import register_worker_pool, worker_pool_registry
from huey_core.plugins.discovery import WORKERS

POOL = """
    from huey_core.consumer.pools import ThreadPool

    class KitePool(ThreadPool):
        pass
"""


def test_those_that_can_be_used_are_listed_by_name(site):
    modules = {"fatal_pool": "1 / 0", "fine_pool": POOL}
    site.install("huey-pools", {WORKERS: {"fatal": "fatal_pool:Pool", "fine": "fine_pool:KitePool"}}, modules)

    assert [name for name, _ in worker_pool_registry.usable()] == ["asyncio", "fine", "process", "thread"]


@pytest.mark.parametrize(("name", "pool"), [("asyncio", AsyncioPool), ("process", ProcessPool), ("thread", ThreadPool)])
def test_core_brings_pools(site, name, pool):
    assert name in [entry.name for entry in worker_pool_registry.entries() if entry.distribution == "huey-core"]
    assert worker_pool_registry.get(name) is pool


def test_a_pool_that_is_installed_runs_the_commands_of_a_consumer_that_names_it(site, make_invoker):
    site.install("huey-kite", {WORKERS: {"kite": "kite_pool:KitePool"}}, {"kite_pool": POOL})

    consumer = Consumer(make_invoker(), worker_type="kite", workers=3)

    assert (type(consumer.pool).__name__, consumer.pool.size) == ("KitePool", 3)


def test_a_pool_that_the_program_registers_goes_before_what_is_installed(monkeypatch):
    class KitePool(ThreadPool):
        pass

    register_worker_pool("thread", KitePool)
    try:
        assert worker_pool_registry.get("thread") is KitePool
        with pytest.raises(PluginConflict, match=r"worker pool 'thread' is already registered as .*KitePool"):
            register_worker_pool("thread", ThreadPool)
    finally:
        worker_pool_registry.unregister("thread")


def test_an_unknown_pool_is_refused_with_the_closest_name_and_what_is_installed(invoker):
    with pytest.raises(PluginNotFound) as refused:
        Consumer(invoker, worker_type="threads")

    assert "no worker pool is installed for the name 'threads'; did you mean 'thread'?" in str(refused.value)
    assert "installed: asyncio (huey-core " in str(refused.value)


@pytest.mark.parametrize(("name", "what_to_do"), [("greenlet", "use the worker pool 'thread'")])
def test_a_pool_that_people_may_expect_is_refused_with_what_to_do(invoker, name, what_to_do):
    with pytest.raises(PluginNotFound, match=what_to_do):
        Consumer(invoker, worker_type=name)


def test_a_pool_for_another_version_of_the_plugin_api_is_refused(site, make_invoker):
    source = POOL.replace("pass", "HUEY_PLUGIN_API = 99")
    site.install("huey-kite", {WORKERS: {"kite": "kite_pool:KitePool"}}, {"kite_pool": source})

    with pytest.raises(PluginIncompatible, match="upgrade huey-core"):
        Consumer(make_invoker(), worker_type="kite")


def test_what_is_no_pool_is_refused(site, make_invoker):
    site.install("huey-kite", {WORKERS: {"kite": "kite_pool:KitePool"}}, {"kite_pool": "KitePool = dict"})

    with pytest.raises(PluginLoadError, match=r"is not a subclass of huey_core.workers.base.WorkerPool"):
        Consumer(make_invoker(), worker_type="kite")

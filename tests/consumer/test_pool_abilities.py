"""A consumer does not start with a command that asks for what its worker pool is not able to do."""

from __future__ import annotations

import pytest

from huey_core import CommandRegistry, Invoker, periodic_command, queue_command
from huey_core.commands import CommandOption, optional, seconds
from huey_core.consumer import Consumer
from huey_core.consumer.pools import ThreadPool
from huey_core.exceptions import Unsupported
from huey_core.plugins import register_worker_pool, worker_pool_registry
from huey_core.plugins.discovery import WORKERS
from huey_core.workers import PoolAbility
from own_pools import ForkPool
from plugin_options import GiveUp

KILL_AFTER = CommandOption(
    "kill_after",
    optional(seconds),
    None,
    travels=True,
    needs=PoolAbility.INTERRUPT_ANYTHING,
    help="Seconds after which a run is killed; `None`: never.",
)


class PlainPool(ThreadPool):
    abilities = frozenset()


def work():
    pass


@pytest.fixture
def plugin():
    return GiveUp(KILL_AFTER)


@pytest.fixture
def with_plugin(make_invoker, plugin):
    return make_invoker(plugins=[plugin])


@pytest.fixture
def fork_pool():
    """The name of a pool that has the ability."""
    register_worker_pool("fork", ForkPool)
    yield "fork"
    worker_pool_registry.unregister("fork")


@pytest.fixture
def pool_without_abilities():
    """The name of a pool that can interrupt nothing."""
    register_worker_pool("plain", PlainPool)
    yield "plain"
    worker_pool_registry.unregister("plain")


@pytest.fixture
def no_processes():
    """Have another pool in place of core's own that has the ability."""
    register_worker_pool("process", ThreadPool)
    yield
    worker_pool_registry.unregister("process")


def refusal(invoker, **settings):
    """Why a consumer of an invoker does not start."""
    with pytest.raises(Unsupported) as refused:
        Consumer(invoker, **settings).start()
    return str(refused.value)


def test_a_command_is_refused_when_the_consumer_starts_with_what_it_asks_for(with_plugin):
    queue_command(with_plugin, name="first", kill_after=5)(work)
    queue_command(with_plugin, name="second", kill_after=9)(work)
    queue_command(with_plugin, name="third")(work)

    assert refusal(with_plugin).startswith(
        "the worker pool 'thread' has no 'interrupt_anything', which kill_after= of first, second needs"
    )


def test_the_installed_pools_that_could_are_named(with_plugin, fork_pool):
    queue_command(with_plugin, kill_after=5)(work)

    assert refusal(with_plugin).endswith("set WORKER_TYPE to 'fork' or 'process'")


def test_a_time_limit_asks_for_one_of_two_abilities(invoker, pool_without_abilities):
    queue_command(invoker, name="limited", timeout=5)(work)

    assert refusal(invoker, worker_type=pool_without_abilities) == (
        "the worker pool 'plain' has no 'interrupt_python' or 'run_coroutines', which timeout= of limited needs: set "
        "WORKER_TYPE to 'asyncio' or 'process' or 'thread'"
    )


@pytest.mark.parametrize("pool", ["asyncio", "thread"])
def test_a_pool_that_has_either_of_the_two_runs_it(invoker, run_consumer, pool):
    call = queue_command(invoker, timeout=3600)(lambda: "done")()

    run_consumer(invoker, worker_type=pool)

    assert call.get(blocking=True, timeout=30) == "done"


def test_a_call_with_a_time_limit_runs_without_one_where_the_pool_has_neither(
    invoker, pool_without_abilities, run_consumer
):
    call = queue_command(invoker)(lambda: "done").using(timeout=3600)()

    run_consumer(invoker, worker_type=pool_without_abilities)

    assert call.get(blocking=True, timeout=30) == "done"


def test_it_is_said_that_no_pool_could(with_plugin, no_processes):
    queue_command(with_plugin, kill_after=5)(work)

    assert refusal(with_plugin).endswith("no worker pool that has it is installed")


def test_a_pool_that_cannot_be_loaded_is_none_that_could(site, make_invoker, plugin, fork_pool):
    site.install("huey-fatal-pool", {WORKERS: {"fatal": "fatal_pool:Pool"}}, {"fatal_pool": "1 / 0"})
    invoker = make_invoker(plugins=[plugin])
    queue_command(invoker, kill_after=5)(work)

    assert refusal(invoker).endswith("set WORKER_TYPE to 'fork' or 'process'")


def test_a_periodic_command_is_refused_too(with_plugin):
    periodic_command(with_plugin, lambda dt: True, name="nightly", kill_after=5)(work)

    assert "of nightly needs" in refusal(with_plugin)


def test_a_consumer_starts_whose_pool_is_able_to(with_plugin, fork_pool, run_consumer):
    queue_command(with_plugin, kill_after=5)(work)

    assert run_consumer(with_plugin, worker_type=fork_pool).pool.abilities == ForkPool.abilities


def test_the_default_of_an_option_asks_for_nothing(with_plugin, run_consumer):
    decorated = queue_command(with_plugin, kill_after=None)(work)

    run_consumer(with_plugin)

    assert decorated().get(blocking=True, timeout=30) is None


def test_a_command_of_another_queue_is_another_consumers_affair(request, plugin, run_consumer):
    registry = CommandRegistry()
    mail, reports = (
        Invoker.from_url(f"memory://{request.node.name}/?queue={queue}", plugins=[plugin], registry=registry)
        for queue in ("mail", "reports")
    )
    queue_command(reports, name="report", kill_after=5)(work)

    run_consumer(mail)

    assert "of report needs" in refusal(reports)


def test_an_async_command_asks_for_nothing(with_plugin, run_consumer):
    @queue_command(with_plugin)
    async def add(a, b):
        return a + b

    run_consumer(with_plugin)

    assert add(1, 2).get(blocking=True, timeout=30) == 3

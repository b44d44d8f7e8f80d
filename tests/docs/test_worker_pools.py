"""The page of worker pools has every member of the contract, and every ability in its words."""

from __future__ import annotations

import inspect
import re

import pytest

from huey_core.workers import PoolAbility, PoolSettings, RemoteRunner, Runner, WorkerPool


@pytest.fixture
def text(read_page):
    return read_page("plugins/worker-pools.md").text


@pytest.mark.parametrize(
    ("name", "method"), [pair for pair in vars(WorkerPool).items() if inspect.isfunction(pair[1]) and pair[0][0] != "_"]
)
def test_each_method_of_a_pool_is_described_with_its_parameters(text, name, method):
    parameters = [parameter for parameter in inspect.signature(method).parameters if parameter != "self"]

    assert f"| `{name}({', '.join(parameters)})` |" in text


@pytest.mark.parametrize("name", [name for name, member in vars(Runner).items() if name in {"run", "run_async"}])
def test_each_way_to_run_a_delivery_is_described(text, name):
    assert f"runner.{name}(delivery" in text


@pytest.mark.parametrize("name", ["abandon(delivery, reason)", "has_run()"])
def test_what_a_pool_says_of_a_run_is_described(text, name):
    assert f"| `runner.{name}` |" in text


@pytest.mark.parametrize("name", ["leased_until", "not_started", "finish", "queue_name", "stores"])
def test_what_a_pool_of_other_processes_asks_a_runner_is_described(text, name):
    assert f"`runner.{name}" in text


@pytest.mark.parametrize("name", [name for name in vars(RemoteRunner) if name[0] != "_"])
def test_what_a_pool_calls_in_other_processes_is_described(text, name):
    assert f"`remote.{name}(" in text


@pytest.mark.parametrize("name", [name for name in PoolSettings.__dataclass_fields__ if name.startswith("on_")])
def test_what_a_pool_says_of_a_worker_is_described(text, name):
    assert f"`settings.{name}(" in text or f"await settings.{name}()" in text


def test_each_ability_is_described_in_its_words(text):
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", text.partition("## Abilities")[2].partition("\n## ")[0], re.M)

    assert rows == [(ability.value, ability.description) for ability in PoolAbility]

"""huey-core without any plugin: all of it can be used but a queue, and asking for one says what to install."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import huey_core
from huey_core import Invoker
from huey_core.exceptions import PluginNotFound
from huey_core.plugins.known import KNOWN_BACKENDS, KNOWN_SERIALIZERS
from huey_core.plugins.serializers import serializer

MODULES = [found.name for found in pkgutil.walk_packages(huey_core.__path__, "huey_core.")]


def run_huey(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed program ``huey``."""
    program = Path(sysconfig.get_path("scripts"), "huey")
    return subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)


def test_the_core_is_imported_from_where_it_is_installed():
    assert Path(huey_core.__file__).is_relative_to(sysconfig.get_path("purelib"))


DRIVERS = ["hiredis", "msgspec", "pymongo", "redis"]
PLUGINS = [
    *("huey_django", "huey_memory", "huey_mongo", "huey_msgpack", "huey_redis", "huey_sqlite", "huey_testing"),
    "huey_zstd",
]


@pytest.mark.parametrize("name", [*PLUGINS, *DRIVERS])
def test_no_plugin_and_no_driver_comes_with_the_core(name):
    assert importlib.util.find_spec(name) is None


@pytest.mark.parametrize("name", MODULES)
def test_every_module_of_the_core_can_be_imported(name):
    assert importlib.import_module(name).__doc__


def test_no_module_of_the_core_needs_what_tests_are_run_with():
    program = f"import sys, {', '.join(MODULES)}; print(*sorted(sys.modules))"
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert "huey_core.cli.group" in ended.stdout.split()
    assert {"hypothesis", "pytest"}.isdisjoint(ended.stdout.split())


@pytest.mark.parametrize(("scheme", "suggested"), KNOWN_BACKENDS.items())
def test_a_url_whose_backend_is_not_installed_says_what_to_install(scheme, suggested):
    with pytest.raises(PluginNotFound, match=rf"pip install {suggested}\b") as caught:
        Invoker.from_url(f"{scheme}://localhost/?queue=mail")

    assert repr(scheme) in str(caught.value)
    assert "installed: none" in str(caught.value)


@pytest.mark.parametrize(("name", "suggested"), KNOWN_SERIALIZERS.items())
def test_a_serializer_that_is_not_installed_says_what_to_install(name, suggested):
    with pytest.raises(PluginNotFound, match=rf"pip install {suggested}\b"):
        serializer(f"json|{name}")


def test_an_operator_is_told_what_to_install_without_a_traceback():
    ended = run_huey("info", "redis://localhost:6379/0?queue=mail")

    assert ended.returncode != 0
    assert "pip install huey-redis" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_command_that_is_not_installed_says_what_to_install():
    ended = run_huey("new-plugin", "kite", "--kind", "backend")

    assert ended.returncode == 2
    assert "pip install huey-testing" in ended.stderr


def test_the_command_line_lists_the_serializers_that_come_with_the_core():
    ended = run_huey("plugins")

    assert ended.returncode == 0, ended.stderr
    assert "signed" in ended.stdout


def test_the_command_line_can_be_run_as_a_module():
    command = [sys.executable, "-m", "huey_core", "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 0, ended.stderr
    assert "python -m huey_core" in ended.stdout

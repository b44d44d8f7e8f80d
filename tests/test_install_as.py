"""Programs of the original API, which import ``huey``; each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

INSTALL = "import huey_core; huey_core.install_as_huey()\n"


@pytest.fixture
def run(tmp_path):
    """Run a program and return its end."""

    def run(program: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "error", "-c", program]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
def succeed(run):
    """Run a program that calls ``install_as_huey()`` first, and has nothing to complain about."""

    def succeed(program: str) -> None:
        done = run(INSTALL + program)
        assert done.returncode == 0, done.stderr

    return succeed


@pytest.mark.parametrize(
    "name",
    ["backends", "backends.base", "bin", "bin.config", "decorators", "exceptions", "queue"],
)
def test_each_module_of_the_original_api_is_importable(succeed, name):
    succeed(f"import sys, huey.{name}; assert sys.modules['huey.{name}'] is sys.modules['huey_core.{name}']")


def test_the_redis_backend_is_found_where_it_was(succeed):
    succeed(
        "from huey.backends.redis_backend import RedisDataStore, RedisQueue\n"
        "import huey_redis\n"
        "assert (RedisDataStore, RedisQueue) == (huey_redis.RedisDataStore, huey_redis.RedisQueue)\n"
    )


def test_a_module_whose_distribution_is_not_installed_says_what_to_install(run):
    done = run(f"{INSTALL}import sys; sys.modules['huey_redis'] = None\nimport huey.backends.redis_backend")

    assert (
        "huey.backends.redis_backend is huey_redis now, which is not installed: pip install huey-redis" in done.stderr
    )


def test_a_module_under_both_names_is_one(succeed):
    succeed(
        "import sys, huey.commands.registry\n"
        "assert 'huey_core.commands.registry' in sys.modules\n"
        "from huey_core.commands import registry\n"
        "assert huey.commands.registry is registry\n"
        "assert huey.commands.registry.default_registry is huey_core.commands.registry.default_registry\n"
    )


def test_a_module_keeps_its_own_name_and_spec(succeed):
    succeed(
        "import huey.commands.crontab as crontab\n"
        "assert crontab.__name__ == crontab.__spec__.name == 'huey_core.commands.crontab'\n"
        "import importlib; importlib.reload(crontab)\n"
    )


def test_names_can_be_imported_from_packages(succeed):
    succeed("from huey.commands import crontab; from huey import Invoker, serializers")


def test_a_module_is_loaded_only_when_it_is_asked_for(succeed):
    succeed("import sys; assert 'huey_core.inspection' not in sys.modules; import huey.inspection")


def test_a_module_that_does_not_exist_is_missing_under_the_name_asked_for(run):
    done = run(f"{INSTALL}try: import huey.nowhere\nexcept ModuleNotFoundError as error: print(error.name)")

    assert done.stdout == "huey.nowhere\n"


def test_an_error_in_a_module_is_not_hidden(run):
    done = run(f"import sys; sys.modules['huey_core.commands.crontab'] = None\n{INSTALL}import huey.commands.crontab")

    assert "ModuleNotFoundError" in done.stderr


def test_installing_twice_changes_nothing(succeed):
    succeed(f"import sys; before = list(sys.meta_path)\n{INSTALL}assert sys.meta_path == before\nimport huey.queue")


def test_another_huey_is_refused(run, tmp_path):
    (tmp_path / "huey.py").write_text("")

    done = run(f"import huey\n{INSTALL}")

    assert "ConfigurationError: another package called huey" in done.stderr
    assert "huey.py" in done.stderr


def test_another_huey_that_is_only_installed_is_hidden(succeed, tmp_path):
    (tmp_path / "huey").mkdir()
    (tmp_path / "huey" / "__init__.py").write_text("raise SystemExit('the wrong one')")

    succeed("import huey, huey.queue; assert huey is huey_core")


def test_nothing_changes_before_it_is_called(run):
    done = run("import huey_core, sys; assert 'huey' not in sys.modules; import huey")

    assert "ModuleNotFoundError" in done.stderr

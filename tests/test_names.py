"""A command has one name, whichever way its process came to run the file."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

TASKS = """
import functools
from huey_core import Invoker, queue_command

def logged(function):
    @functools.wraps(function)
    def wrapper():
        return function()
    return wrapper

@queue_command(Invoker("memory://"))
@logged
def add(): ...

if "mp" not in __name__:
    print(add.command_class.command_name)
"""

RUN = "import runpy; runpy.run_path"
SPAWN = """
import multiprocessing

def show():
    print(add.command_class.command_name)

if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=show)
    child.start()
    child.join()
"""


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name in ("__main__.py", "tasks.py"):
        (folder / name).write_text(textwrap.dedent(TASKS))
    return tmp_path


def printed(*arguments, cwd, **settings):
    ran = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=True, **settings)
    return ran.stdout.split()


@pytest.mark.parametrize("arguments", [["-m", "shop"], ["-c", "import shop.__main__"]])
def test_a_package_that_is_run_and_its_import_give_a_function_one_name(package, arguments):
    assert printed(*arguments, cwd=package) == ["shop.add"]


@pytest.mark.parametrize("arguments", [["-m", "shop.tasks"], ["-c", "import shop.tasks"]])
def test_a_module_that_is_run_and_its_import_give_a_function_one_name(package, arguments):
    assert printed(*arguments, cwd=package) == ["shop.tasks.add"]


@pytest.mark.parametrize(
    "arguments",
    [["-c", f"{RUN}('tasks.py')"], ["-c", f"{RUN}('tasks.py', run_name='__main__')"], ["-m", "cProfile", "tasks.py"]],
)
def test_a_script_that_another_program_runs_has_the_name_of_its_file(package, arguments):
    assert printed(*arguments, cwd=package / "shop")[0] == "tasks.add"


def test_a_file_that_a_server_loads_has_its_own_name(package):
    program = """
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location("uwsgi_file_tasks", "tasks.py")
        sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[spec.name])
    """

    assert printed("-c", textwrap.dedent(program), cwd=package / "shop") == ["tasks.add"]


def test_what_is_read_from_standard_input_has_no_name_of_a_file(package):
    assert printed("-", cwd=package, input=TASKS) == ["__main__.add"]


@pytest.mark.parametrize(
    ("arguments", "name"), [(["spawning.py"], "spawning"), (["-m", "shop.spawning"], "shop.spawning")]
)
def test_a_spawned_process_knows_the_names_of_its_parent(package, arguments, name):
    for folder in (package, package / "shop"):
        (folder / "spawning.py").write_text(TASKS + SPAWN)

    assert printed(*arguments, cwd=package) == [f"{name}.add", f"{name}.add"]


def test_an_exception_of_a_package_that_is_run_may_be_named_by_either_name(package):
    program = """
        from huey_core.commands.options import CommandOptions
        class Wrong(Exception): ...
        print(CommandOptions.build(retry_on="shop.__main__.Wrong").may_retry(Wrong()))
    """
    (package / "shop" / "__main__.py").write_text(textwrap.dedent(program))

    assert printed("-m", "shop", cwd=package) == ["True"]

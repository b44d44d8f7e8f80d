"""The docstrings are the reference: every module says what others may use, and every such name says what it is.

Constants are looked at in the modules that the documentation names, because those are the public ones.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import pkgutil
from functools import cache
from pathlib import Path
from types import ModuleType

import click
import pytest

import huey_core
import huey_memory
import huey_mongo
import huey_msgpack
import huey_redis
import huey_sqlite
import huey_testing
import huey_zstd


def public_modules() -> list[str]:
    names = []
    packages = huey_core, huey_memory, huey_mongo, huey_msgpack, huey_redis, huey_sqlite, huey_testing, huey_zstd
    for package in packages:
        names.append(package.__name__)
        names += [found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [name for name in names if not any(part.startswith("_") for part in name.split("."))]


@cache
def syntax(module_name: str) -> ast.Module:
    return ast.parse(inspect.getsource(importlib.import_module(module_name)))


def is_empty(module_name: str) -> bool:
    """Whether a module is nothing but its docstring: a package that exists for its modules."""
    return len(syntax(module_name).body) == 1


DOCUMENTATION = "".join(path.read_text() for path in (Path(__file__).parents[2] / "docs").rglob("*.md"))
MODULES = [name for name in public_modules() if not is_empty(name)]
NAMES = [(module, name) for module in MODULES for name in getattr(importlib.import_module(module), "__all__", [])]


def is_constant(module_name: str, name: str) -> bool:
    thing = getattr(importlib.import_module(module_name), name)
    if "<locals>" in getattr(thing, "__qualname__", ""):
        return True
    return not (inspect.isclass(thing) or inspect.isroutine(thing) or isinstance(thing, ModuleType | click.Command))


CODE = [pair for pair in NAMES if not is_constant(*pair)]
CONSTANTS = [
    (module, name)
    for module, name in NAMES
    if is_constant(module, name) and f"{module} " in DOCUMENTATION.replace("`", " ") and name != "__version__"
]


def below(module_name: str, name: str) -> str:
    """The text below the assignment of a constant, which Python does not keep."""
    body = syntax(module_name).body
    for statement, following in itertools.pairwise(body):
        if isinstance(statement, ast.Assign | ast.AnnAssign) and name in targets(statement):
            is_text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            return inspect.cleandoc(following.value.value) if is_text else ""
    for statement in ast.walk(syntax(module_name)):
        if isinstance(statement, ast.ImportFrom) and name in {alias.name for alias in statement.names}:
            return below(str(statement.module), name)
    return ""


def targets(statement: ast.Assign | ast.AnnAssign) -> set[str]:
    found = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return {target.id for target in found if isinstance(target, ast.Name)}


@pytest.mark.parametrize("module_name", MODULES)
def test_every_public_module_says_what_it_is_and_what_is_public(module_name):
    module = importlib.import_module(module_name)

    assert module.__doc__
    assert list(module.__all__) == list(dict.fromkeys(module.__all__))


@pytest.mark.parametrize(("module_name", "name"), CODE, ids=map(".".join, CODE))
def test_every_public_class_and_function_begins_its_docstring_with_a_sentence(module_name, name):
    thing = getattr(importlib.import_module(module_name), name)
    docstring = thing.help if isinstance(thing, click.Command) else inspect.getdoc(thing)

    assert is_a_sentence((docstring or "").partition("\n\n")[0])


@pytest.mark.parametrize(("module_name", "name"), CONSTANTS, ids=map(".".join, CONSTANTS))
def test_every_public_constant_says_what_it_is_in_a_sentence(module_name, name):
    assert is_a_sentence(below(module_name, name).partition("\n\n")[0])


def is_a_sentence(text: str) -> bool:
    return bool(text) and not text[0].isspace() and text.rstrip().endswith((".", ":"))

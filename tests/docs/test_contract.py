"""The contract page has every method of the contract as it is called, and says of each what an author has to know."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import pytest

from huey_core.backends.backend import Backend
from huey_core.backends.base import BaseDataStore, BaseQueue
from huey_core.backends.capabilities import Capability
from huey_core.backends.leased import LeasedQueue

CLASSES = (BaseQueue, LeasedQueue, BaseDataStore, Backend)


def is_of_the_contract(name: str, member: object) -> bool:
    return inspect.isfunction(member) and (name == "__len__" or not name.startswith("_"))


METHODS = [
    (cls, name, member) for cls in CLASSES for name, member in vars(cls).items() if is_of_the_contract(name, member)
]

each_method = pytest.mark.parametrize(
    ("cls", "name", "method"), METHODS, ids=[f"{cls.__name__}.{name}" for cls, name, _ in METHODS]
)


def as_called(method: Callable[..., object]) -> str:
    """The parameters of a method with their defaults, and without their types."""
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for name, parameter in inspect.signature(method).parameters.items()
        if name != "self"
    ]
    return str(inspect.Signature(parameters))


@pytest.fixture
def sections(read_page) -> dict[str, str]:
    """What is below each heading of the page that is code, by the heading."""
    page = read_page("plugins/backends.md")
    return dict(re.findall(r"^### `(.+?)`\n(.*?)(?=^#|\Z)", page.text, re.MULTILINE | re.DOTALL))


@each_method
def test_a_method_has_a_section_with_its_parameters_and_their_defaults(cls, name, method, sections):
    assert f"{cls.__name__}.{name}{as_called(method)}" in sections


@each_method
def test_a_section_says_when_it_is_called_what_is_atomic_and_which_errors_there_are(cls, name, method, sections):
    section = sections[f"{cls.__name__}.{name}{as_called(method)}"]

    assert re.search(r"\A\n[A-Z].*\n", section), "what the method does comes first"
    assert re.findall(r"^\* \*\*(\w+)\*\*: \S", section, re.MULTILINE) == ["When", "Atomic", "Errors"]


@each_method
def test_a_section_has_an_example_that_calls_the_method(cls, name, method, sections):
    section = sections[f"{cls.__name__}.{name}{as_called(method)}"]
    example = "".join(re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))

    assert re.search(r"\blen\(" if name == "__len__" else rf"\.{name}\b", example)


def test_the_page_has_no_method_that_does_not_exist(sections):
    assert set(sections) == {f"{cls.__name__}.{name}{as_called(method)}" for cls, name, method in METHODS}


def test_the_page_says_how_many_methods_must_be_written(read_page):
    rows = re.findall(r"^\| \[`(\w+)`\].*\| (\d+) methods", read_page("plugins/backends.md").text, re.MULTILINE)

    assert {name: int(number) for name, number in rows} == {
        cls.__name__: len(cls.__abstractmethods__) for cls in CLASSES
    }


@pytest.mark.parametrize("capability", Capability, ids=lambda capability: capability.value)
def test_every_capability_is_in_the_page(capability, read_page):
    assert capability.value in read_page("plugins/backends.md").rows()

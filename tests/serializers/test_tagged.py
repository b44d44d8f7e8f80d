"""Classes that are registered are carried, and others are refused."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
import textwrap
from dataclasses import InitVar, dataclass, field, make_dataclass
from functools import cached_property
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from huey_core.exceptions import ConfigurationError, EncodeError
from huey_core.serializers.json import JSONSerializer

SERIALIZER = JSONSerializer()


def round_trip(value: Any) -> Any:
    return SERIALIZER.decode(SERIALIZER.encode(value))


def test_register_gives_the_class_back() -> None:
    assert JSONSerializer.register(Price) is Price


def test_a_type_inside_a_function_cannot_be_registered() -> None:
    class Local(enum.Enum):
        ONE = 1

    with pytest.raises(ConfigurationError, match="inside a function"):
        JSONSerializer.register(Local)


class Ordinary:
    pass


def test_an_ordinary_class_cannot_be_registered() -> None:
    with pytest.raises(ConfigurationError, match="neither an Enum nor a dataclass"):
        JSONSerializer.register(Ordinary)


@pytest.mark.parametrize("base", [int, dict, Exception])
def test_a_dataclass_with_a_value_that_is_no_field_cannot_be_registered(base: type) -> None:
    kind = make_dataclass("Odd", ["x"], bases=(base,))

    with pytest.raises(ConfigurationError, match=rf"what it has of {base.__name__}, from which it inherits"):
        JSONSerializer.register(kind)


def made_here(name: str, *names: str) -> Any:
    kind = make_dataclass(name, names)
    kind.__module__ = __name__
    return kind


def test_two_types_of_one_name_cannot_be_registered() -> None:
    JSONSerializer.register(made_here("Twice", "x"))

    with pytest.raises(ConfigurationError, match="another type of this name is"):
        JSONSerializer.register(made_here("Twice", "y"))


def test_a_type_is_registered_anew_when_its_module_is_reloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    JSONSerializer.register(made_here("Reloaded", "x"))
    monkeypatch.setitem(globals(), "__spec__", ModuleSpec(__name__, None))
    newer = JSONSerializer.register(made_here("Reloaded", "x", "y"))

    assert round_trip(newer(1, 2)) == newer(1, 2)


@JSONSerializer.register
@dataclass
class Price:
    cents: int
    tax: InitVar[float]
    shown: str = field(init=False)

    def __post_init__(self, tax: float) -> None:
        self.cents = round(self.cents * tax)
        self.shown = f"{self.cents / 100:.2f}"

    @cached_property
    def euros(self) -> float:
        return self.cents / 100


@JSONSerializer.register
@dataclass(frozen=True, slots=True, init=False)
class Weighed:
    kilograms: float

    def __init__(self, pounds: float) -> None:
        object.__setattr__(self, "kilograms", pounds / 2)


class Positive:
    """A descriptor, which keeps the value of its field elsewhere."""

    def __set__(self, owner: Any, value: Any) -> None:
        owner._count = abs(value) if isinstance(value, int) else 1

    def __get__(self, owner: Any, _: Any) -> Any:
        return self if owner is None else owner._count


@JSONSerializer.register
@dataclass
class Counted:
    count: Any = Positive()


@pytest.mark.parametrize("value", [Price(100, 1.19), Weighed(10.0), Counted(-5)])
def test_a_dataclass_arrives_as_it_was_sent(value: object) -> None:
    assert round_trip(value) == value


def test_what_a_dataclass_has_only_cached_is_not_carried() -> None:
    price = Price(100, 1.19)
    assert price.euros == 1.19

    assert "euros" not in vars(round_trip(price))


def test_an_attribute_that_is_no_field_is_refused() -> None:
    price = Price(100, 1.19)
    price.currency = "EUR"  # type: ignore[attr-defined]

    with pytest.raises(EncodeError, match=r"Price with the attribute 'currency', which is no field .* at value\[0\]$"):
        SERIALIZER.encode([price])


def test_a_name_that_is_not_unicode_is_refused() -> None:
    strange = enum.Enum("Strange", {"\ud800": 1}, module=__name__)
    JSONSerializer.register(strange)

    with pytest.raises(EncodeError, match="named or built so"):
        SERIALIZER.encode(list(strange))


def test_a_type_of_the_started_script_is_carried_to_those_who_import_it(tmp_path: Path) -> None:
    (tmp_path / "paints.py").write_text(
        textwrap.dedent(
            """
            import enum, sys
            from huey_core.serializers.json import JSONSerializer
            @JSONSerializer.register
            class Colour(enum.Enum):
                RED = "red"
            if __name__ == "__main__":
                sys.stdout.buffer.write(JSONSerializer().encode(Colour.RED))
            """
        )
    )
    read = "import sys, paints; print(paints.JSONSerializer().decode(sys.stdin.buffer.read()) is paints.Colour.RED)"

    written = subprocess.run([sys.executable, "paints.py"], capture_output=True, check=True, cwd=tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", read], input=written.stdout, capture_output=True, check=False, cwd=tmp_path
    )

    assert (json.loads(written.stdout)["t"], ran.stdout.split()) == ("paints.Colour", [b"True"]), ran.stderr

"""The key of a call is the same in every process, and another one for another call."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

import pytest

from huey_core import QueueCommand, queue_command
from huey_core.commands.options import CommandOptions
from huey_core.exceptions import ConfigurationError
from huey_core.serializers.json import JSONSerializer

ONE_ORDER, OTHER_ORDER = {0, 8}, {8, 0}
"""One set, whose items come in an order that says how it was made; of texts it is another one in each process."""


@JSONSerializer.register
class Colour(enum.Enum):
    RED = 1


@JSONSerializer.register
@dataclass
class Order:
    number: int
    notes: set[int] = field(default_factory=set, repr=False)


class Thing:
    pass


@pytest.fixture
def key_of(invoker):
    """The key of a call with these arguments, of a command with these options."""

    def make(*args, **options):
        @queue_command(invoker, name="keyed", **options)
        def keyed(given, other=1): ...

        invoker.registry.unregister("keyed")
        return keyed.command(*args).unique_key()

    return make


def test_the_sets_have_an_order_each():
    assert list(ONE_ORDER) != list(OTHER_ORDER)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (ONE_ORDER, OTHER_ORDER),
        ([{"of": frozenset(ONE_ORDER)}], [{"of": frozenset(OTHER_ORDER)}]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1: "a", (2,): "b"}, {(2,): "b", 1: "a"}),
        (Order(1, ONE_ORDER), Order(1, OTHER_ORDER)),
    ],
)
@pytest.mark.parametrize("options", [{"unique_for": 60}, {"unique_key": "{given}"}, {"unique_key": "{given!r:>9}"}])
def test_arguments_that_are_equal_have_one_key(key_of, one, other, options):
    assert key_of(one, **options) == key_of(other, **options)


@pytest.mark.parametrize(
    ("one", "other"), [(1, "1"), ((1,), [1]), (Order(1, {1}), Order(1, {2})), ({1: 2}, [[1, 2]]), (1, True)]
)
def test_arguments_that_differ_have_two_keys(key_of, one, other):
    assert key_of(one, unique_for=60) != key_of(other, unique_for=60)


def test_an_argument_that_is_given_is_as_good_as_its_default(key_of):
    assert key_of(2, 1, unique_for=60) == key_of(2, unique_for=60)


def test_a_text_may_name_a_part_of_an_argument(key_of):
    assert key_of(Order(7, OTHER_ORDER), unique_key="{given.number}") == "keyed:7"


@pytest.mark.parametrize("given", [Colour.RED, 1.5, "x"])
def test_what_is_no_container_stands_in_a_key_as_its_text(key_of, given):
    assert key_of(given, unique_key="{given}") == f"keyed:{given}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unique_for": 60}, r"Thing, found at value\['given'\].*add unique_key="),
        ({"unique_key": "{given}"}, "another one in each process: .* Thing, whose text has its address"),
        ({"unique_key": lambda given: given}, "must return a text, not .* Thing"),
    ],
)
def test_an_argument_of_which_no_key_can_be_made_is_refused(key_of, options, message):
    with pytest.raises(ConfigurationError, match=message):
        key_of(Thing(), **options)


def test_a_function_may_return_a_set_as_the_key(key_of):
    assert key_of(1, unique_key=lambda given: ONE_ORDER) == key_of(1, unique_key=lambda given: OTHER_ORDER)


def test_the_data_of_a_command_that_is_a_class_are_its_key():
    class Tag(QueueCommand, declare=False):
        defaults = CommandOptions.build(unique_for=60)

    assert Tag(ONE_ORDER).unique_key() == Tag(OTHER_ORDER).unique_key() != Tag({1}).unique_key()

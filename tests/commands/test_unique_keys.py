"""The key of a call is the same in every process, and another one for another call."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial, wraps

import pytest

from huey_core import QueueCommand, crontab, periodic_command, queue_command
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


def test_a_unique_call_is_written_once_while_it_is_live(invoker):
    @queue_command(invoker, unique_key="{user}")
    def greet(user, greeting="Hello"): ...

    first, second, third = greet("ann"), greet("ann", greeting="Hi"), greet("bob")

    assert invoker.queue.counts().ready == 2
    assert second.task_id == first.task_id != third.task_id


def test_the_arguments_are_the_key_where_only_a_time_is_given(invoker):
    @queue_command(invoker, unique_for=60)
    def greet(user): ...

    greet("ann"), greet(user="ann"), greet("bob")

    assert invoker.queue.counts().ready == 2


def test_a_function_may_name_the_key(invoker):
    @queue_command(invoker, unique_key=lambda order: str(order["id"]))
    def ship(order): ...

    ship({"id": 1, "to": "ann"}), ship({"id": 1, "to": "bob"})

    assert invoker.queue.counts().ready == 1


def test_two_commands_do_not_share_their_unique_keys(invoker):
    @queue_command(invoker, unique_key="all", name="one")
    def one(): ...

    @queue_command(invoker, unique_key="all", name="two")
    def two(): ...

    one(), two()

    assert invoker.queue.counts().ready == 2


def test_a_unique_key_that_names_no_parameter_is_refused_when_the_function_is_decorated(invoker):
    with pytest.raises(ConfigurationError, match="'usr', which is no parameter of greet"):

        @queue_command(invoker, unique_key="{usr}")
        def greet(user): ...


def test_a_key_function_may_say_that_a_call_has_no_key(invoker):
    @queue_command(invoker, unique_key=lambda user: None)
    def greet(user): ...

    greet("ann"), greet("ann")

    assert invoker.queue.counts().ready == 2


def test_a_key_may_name_a_parameter_of_what_is_called_in_place_of_a_function(invoker):
    def send(channel, text): ...

    send_sms = queue_command(invoker, name="send_sms", unique_key="{text}")(partial(send, "sms"))

    assert send_sms("hello").task_id == send_sms("hello").task_id


def test_a_unique_key_of_one_call_is_checked_too(invoker):
    @queue_command(invoker)
    def greet(user_id): ...

    with pytest.raises(
        ConfigurationError, match=r"'userid', which is no parameter of greet\(\); did you mean 'user_id'"
    ):
        greet.using(unique_key="{userid}")


@pytest.mark.parametrize("key", ["{usr:{width}}", "{user:{wdth}}", "{usr.name}", "{usr[0]}"])
def test_every_name_in_a_unique_key_must_be_a_parameter(invoker, key):
    with pytest.raises(ConfigurationError, match="no parameter of greet"):

        @queue_command(invoker, unique_key=key)
        def greet(user, width): ...


def test_a_unique_key_that_a_call_cannot_fill_is_named(invoker):
    @queue_command(invoker, unique_key="{day:%Y}-{user[id]}")
    def greet(day, user): ...

    with pytest.raises(ConfigurationError, match=r"unique_key='\{day:%Y\}-\{user\[id\]\}' cannot be made .* KeyError"):
        greet(datetime(2030, 1, 1), {})


def test_the_unique_key_of_a_periodic_command_is_checked_too(invoker):
    with pytest.raises(ConfigurationError, match="no parameter of tidy"):

        @periodic_command(invoker, crontab(), unique_key="{day}")
        def tidy(): ...


def own_parameters(function):
    @wraps(function)
    def wrapper(to):
        return function("connection", to)

    return wrapper


def filling_in(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        return function("connection", *args, **kwargs)

    return wrapper


def test_the_parameters_of_a_wrapper_are_its_own_where_it_names_them(invoker):
    @queue_command(invoker, unique_key="{to}")
    @own_parameters
    def send(connection, to): ...

    assert send("ann").task_id == send("ann").task_id != send("bob").task_id


def test_a_wrapper_may_fill_in_arguments_of_a_call_that_is_unique_for_a_time(invoker):
    @queue_command(invoker, unique_for=60)
    @filling_in
    def send(connection, to): ...

    assert send("ann").task_id == send("ann").task_id != send("bob").task_id


def test_a_function_that_does_not_say_what_it_takes_can_be_unique_for_a_time_and_by_a_function(invoker):
    largest = queue_command(invoker, name="largest", unique_for=60)(max)

    assert largest(1, 2).task_id == largest(1, 2).task_id != largest(2, 3).task_id
    with pytest.raises(ConfigurationError, match="let unique_key be a function"):
        largest.using(unique_key="{one}")

"""Which calls fit a function, as the queue's side of a call knows it."""

from __future__ import annotations

import functools
import inspect
from itertools import combinations

import pytest

from huey_core.commands.signature import Signature

OPTIONS = frozenset({"priority", "retries"})


def plain(a, b=1): ...


def by_name(*, a, b=1): ...


def by_position(a, b=1, /, c=2): ...


def variadic(a, *rest, b, **more): ...


async def coroutine(a): ...


def closure(a):
    return lambda: a


class Callee:
    def __call__(self, a, b=1): ...

    def method(self, a): ...

    @classmethod
    def of_class(cls, a): ...


class StaticCallee:
    @staticmethod
    def __call__(a): ...


def injecting(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function("connection", *args, **kwargs)

    return wrapper


class Proxy:
    """Fills in an argument, and passes for the function behind it, as the decorators of ``wrapt`` do."""

    def __init__(self, function):
        self.__wrapped__ = function

    @property
    def __class__(self):
        return type(self.__wrapped__)

    def __getattr__(self, name):
        return getattr(self.__wrapped__, name)

    def __call__(self, *args, **kwargs):
        return self.__wrapped__("connection", *args, **kwargs)


FUNCTIONS = [
    plain,
    by_name,
    by_position,
    variadic,
    coroutine,
    closure,
    lambda: None,
    staticmethod(plain),
    functools.partial(plain, 1),
    functools.partial(plain, b=2),
    functools.partial(functools.partial(variadic, 1), b=2),
    Callee(),
    Callee().method,
    Callee.of_class,
]


def subsets(names):
    return [frozenset(some) for count in range(len(names) + 1) for some in combinations(names, count)]


CALLS = [(count, names) for count in range(4) for names in subsets(["a", "b", "self", "priority"])]
"""The number of a call's arguments, and the names of its keyword arguments."""

MORE = [(count, names) for count in range(4) for names in subsets(["a", "b"])]


def refusal(call, count, names):
    """What the call of something says of its arguments; ``None`` when it takes them."""
    try:
        returned = call(*range(count), **dict.fromkeys(names))
    except TypeError as error:
        return str(error)
    if inspect.iscoroutine(returned):
        returned.close()
    return None


def checking(function):
    return lambda *args, **kwargs: Signature(function).check(args, kwargs)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_the_function_takes_is_taken_and_all_else_is_refused_in_its_words(function):
    expected = {call: refusal(function, *call) for call in CALLS}

    assert {call: refusal(checking(function), *call) for call in CALLS} == expected


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_incomplete_call_is_refused_only_when_nothing_could_complete_it(function):
    expected = {
        (count, names): any(refusal(function, count + more, names | added) is None for more, added in MORE)
        for count, names in CALLS
    }

    assert {call: refusal(Signature(function).takes_partial, *call) is None for call in CALLS} == expected


@pytest.mark.parametrize(
    "function",
    [
        *(injecting(plain), Proxy(plain), Proxy(functools.partial(plain, 1)), Proxy(Callee().method)),
        *(print, max, functools.lru_cache(plain), StaticCallee()),
    ],
)
def test_what_does_not_say_what_it_takes_takes_every_call(function):
    Signature(function).check(range(9), {"priority": 1})


@pytest.mark.parametrize(
    ("name", "value", "way"),
    [
        ("priority", 50, r"priority is an option: use \.using\(priority=50\)\(\.\.\.\)"),
        ("delay", 60, r"delay is an option: use \.schedule\(\(\.\.\.\), delay=60\)"),
        ("countdown", 60, r"countdown is an option: use \.schedule\(\(\.\.\.\), delay=60\)"),
        ("eta", None, r"eta is an option: use \.schedule\(\(\.\.\.\), eta=None\)"),
    ],
)
def test_an_option_among_the_arguments_is_told_with_the_way_to_say_it(name, value, way):
    with pytest.raises(TypeError, match=rf"^plain\(\) got an unexpected keyword argument '{name}'; {way}$"):
        Signature(plain).check((1,), {name: value}, OPTIONS.__contains__)


@pytest.mark.parametrize("function", [lambda a, priority: None, lambda a, **more: None])
def test_a_parameter_may_have_the_name_of_an_option(function):
    Signature(function).check((1,), {"priority": 50}, OPTIONS.__contains__)


def test_a_parameter_with_the_name_of_an_option_is_not_blamed_for_another_slip():
    slip = {"priority": 50, "colour": 1}

    with pytest.raises(TypeError, match=r"'colour'$"):
        Signature(lambda to, priority: None).check((), slip, OPTIONS.__contains__)

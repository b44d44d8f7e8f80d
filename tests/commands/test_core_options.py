"""Core's options: the table, and what has to name each of them once more because type checkers read no tables."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.commands.core_options import CORE_OPTIONS
from huey_core.commands.options import CommandOptions, GivenOptions
from huey_core.exceptions import ConfigurationError
from huey_core.message import encode_header, unpack

each_option = pytest.mark.parametrize("option", CORE_OPTIONS.values(), ids=list(CORE_OPTIONS))
each_travelling = pytest.mark.parametrize(
    "option", [pytest.param(option, id=name) for name, option in CORE_OPTIONS.items() if option.travels]
)


def test_every_option_is_an_attribute_in_the_order_of_the_table():
    assert [field.name for field in fields(CommandOptions)] == [*CORE_OPTIONS, "extra"]


@each_option
def test_the_default_is_the_attribute_of_a_command_that_does_not_say(option):
    assert getattr(CommandOptions(), option.name) == option.default


def test_a_type_checker_knows_every_option():
    assert set(GivenOptions.__annotations__) == set(CORE_OPTIONS)


@each_option
def test_the_help_is_a_sentence(option):
    assert option.help[0].isupper() or option.help[0] == "`"
    assert option.help.endswith(".")


@each_option
def test_the_default_is_a_value_that_can_be_given(option):
    assert option.check(option.name, option.default) == option.default


@each_travelling
@given(value=st.none() | st.booleans() | st.integers(0, 50) | st.floats(0, 50) | st.just(OSError))
def test_what_travels_comes_back_as_it_was_kept(option, value):
    try:
        kept = option.check(option.name, value)
    except ConfigurationError:
        return
    fields_there, _, _ = unpack(encode_header({option.name: kept}))

    assert option.check(option.name, fields_there[option.name]) == kept

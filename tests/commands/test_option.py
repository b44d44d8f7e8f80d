"""What can be the declaration of an option."""

from __future__ import annotations

import inspect
import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.commands.core_options import CORE_OPTIONS
from huey_core.commands.option import PARAMETERS, WHEN_TO_RUN, CommandOption
from huey_core.commands.option_checks import flag
from huey_core.decorators import periodic_command, queue_command
from huey_core.exceptions import ConfigurationError


@given(st.text())
def test_a_name_that_cannot_be_written_as_a_keyword_argument_is_refused(name):
    try:
        eval(f"dict({name}=1)", {})
        can_be_written = name.isidentifier() and name.isascii() and not keyword.iskeyword(name)
    except (SyntaxError, ValueError, NameError):
        can_be_written = False

    if can_be_written and name not in {*WHEN_TO_RUN, *PARAMETERS}:
        assert CommandOption(name, flag, False, help="Something.").name == name
    else:
        with pytest.raises(ConfigurationError):
            CommandOption(name, flag, False, help="Something.")


@pytest.mark.parametrize("name", ["", "rate-limit", "2nd", "lock ", "größe", "class", None])
def test_an_option_is_called_by_an_identifier(name):
    with pytest.raises(ConfigurationError, match="identifier in ASCII"):
        CommandOption(name, flag, False, help="Something.")


@pytest.mark.parametrize("name", sorted(WHEN_TO_RUN))
def test_what_says_when_to_run_is_no_option(name):
    with pytest.raises(ConfigurationError, match=rf"{name}.* parameter of \.schedule"):
        CommandOption(name, flag, False, help="Something.")


@pytest.mark.parametrize("decorator", [queue_command, periodic_command])
def test_no_option_is_called_like_a_parameter_of_the_decorators(decorator):
    parameters = set(inspect.signature(decorator).parameters) - {"options", *CORE_OPTIONS}

    assert parameters <= PARAMETERS


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_a_parameter_of_the_decorators_is_no_option(name):
    with pytest.raises(ConfigurationError, match=f"{name}.* parameter of the decorators"):
        CommandOption(name, flag, False, help="Something.")


def test_an_option_that_does_not_say_what_it_does_is_refused():
    with pytest.raises(ConfigurationError, match="'lock' says nothing of what it does"):
        CommandOption("lock", flag, False, help="")

"""Options are checked when they are written, and steer retries."""

from __future__ import annotations

import importlib
import json
import pickle
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.backends.capabilities import Capability
from huey_core.commands.core_options import CORE_OPTIONS
from huey_core.commands.option import CommandOption
from huey_core.commands.option_checks import flag
from huey_core.commands.options import CommandOptions, OptionTable
from huey_core.exceptions import ConfigurationError
from plugin_options import GIVE_UP_AFTER

DELAYED = CommandOption("delayed", flag, False, needs=Capability.DELAY, help="Something.")


class Shop:
    class Closed(Exception): ...


def test_a_timedelta_is_a_number_of_seconds():
    assert CommandOptions.build(expires=timedelta(minutes=2)).expires == 120.0


def test_an_unknown_option_is_refused_with_the_closest_name():
    with pytest.raises(ConfigurationError, match="did you mean 'retries'"):
        CommandOptions.build(retires=3)


@pytest.mark.parametrize(("name", "way"), [("delay", "delay"), ("countdown", "delay"), ("eta", "eta")])
def test_a_time_to_run_is_no_option_and_told_with_the_way_to_say_it(name, way):
    with pytest.raises(ConfigurationError, match=rf"no option '{name}'; .* \.schedule\(\(\.\.\.\), {way}=\.\.\.\)"):
        CommandOptions.build(**{name: 60})


@pytest.mark.parametrize("name", ["self", "cls"])
@pytest.mark.parametrize("make", [CommandOptions.build, CommandOptions().override])
def test_an_option_of_any_name_is_told_to_be_unknown(make, name):
    with pytest.raises(ConfigurationError, match=f"no option '{name}'"):
        make(**{name: 1})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("retries", -1),
        ("retries", 1.5),
        ("retries", True),
        ("retry_delay", -1),
        ("retry_delay", float("inf")),
        ("retry_delay", "10"),
        ("retry_backoff", 0.5),
        ("retry_jitter", 2),
        ("retry_on", 3),
        ("priority", 1001),
        ("priority", 0.5),
        ("expires", -5),
        ("expires", float("nan")),
        ("expires", timedelta.max),
        ("retry_max_delay", 1e300),
        ("unique_key", ""),
        ("unique_key", "{"),
        ("unique_key", "{}"),
        ("unique_key", "{0}"),
        ("unique_key", "{day:{}}"),
        ("unique_for", 0),
        ("unique_for", 1e-7),
        ("unique_for", timedelta.max),
        ("result_ttl", 0),
        ("result_ttl", 1e-7),
        ("result_ttl", timedelta.max),
        ("store_result", "yes"),
        ("keep_failed", None),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(option, value):
    with pytest.raises(ConfigurationError, match=option):
        CommandOptions.build(**{option: value})


def test_delays_grow_by_the_backoff_up_to_the_longest():
    options = CommandOptions.build(retries=5, retry_delay=10, retry_backoff=3, retry_max_delay=100)

    delays = [options.delay_before_retry(done) for done in range(5)]

    assert delays == [10, 30, 90, 100, 100]


@given(
    st.integers(1, 100_000),
    st.floats(0, 1e6),
    st.floats(1, 100),
    st.floats(0, 1e6),
    st.floats(0, 1),
    st.integers(1, 100_000),
)
def test_a_delay_is_never_negative_nor_longer_than_the_longest(retries, delay, backoff, longest, jitter, left):
    options = CommandOptions().override(
        retries=retries, retry_delay=delay, retry_backoff=backoff, retry_max_delay=longest, retry_jitter=jitter
    )

    assert 0 <= options.delay_before_retry(left) <= longest


def test_delays_grow_to_an_hour_where_no_longest_is_given():
    options = CommandOptions.build(retries=9, retry_delay=1000, retry_backoff=2)

    assert [options.delay_before_retry(done) for done in range(4)] == [1000, 2000, 3600, 3600]


def test_a_delay_of_more_than_an_hour_is_kept():
    options = CommandOptions.build(retries=3, retry_delay=timedelta(days=1), retry_backoff=2)

    assert [options.delay_before_retry(done) for done in (0, 5, 5000)] == [86400, 86400, 86400]


def test_a_first_delay_that_is_longer_than_the_longest_is_refused():
    with pytest.raises(ConfigurationError, match=r"retry_delay is 100 s and retry_max_delay is 60 s"):
        CommandOptions.build(retries=3, retry_delay=100, retry_max_delay=60)


def test_a_duration_of_a_hundred_years_is_the_longest():
    century = timedelta(days=36525)

    assert CommandOptions.build(result_ttl=century).result_ttl == century.total_seconds()
    with pytest.raises(ConfigurationError, match="at most 3155760000"):
        CommandOptions.build(result_ttl=century + timedelta(seconds=1))


def test_only_the_listed_exceptions_and_their_subclasses_are_retried():
    options = CommandOptions.build(retries=1, retry_on=[OSError])

    assert options.may_retry(ConnectionResetError())
    assert not options.may_retry(ValueError())


def test_an_exception_to_give_up_on_is_not_retried_though_its_base_is():
    options = CommandOptions.build(retries=1, retry_on=OSError, give_up_on=FileNotFoundError)

    assert not options.may_retry(FileNotFoundError())


def test_exceptions_may_be_given_by_their_dotted_names():
    assert CommandOptions.build(retry_on="builtins.OSError").may_retry(TimeoutError())


@pytest.mark.parametrize("option", ["retry_on", "give_up_on"])
def test_the_name_of_an_exception_without_its_module_is_refused(option):
    with pytest.raises(ConfigurationError, match=rf"{option} .* did you mean 'builtins\.ConnectionError'"):
        CommandOptions.build(**{option: ["ConnectionError"]})


def test_an_exception_may_be_named_by_a_module_that_only_passes_it_on():
    assert CommandOptions.build(retry_on=f"{json.__name__}.JSONDecodeError").retry_on == (
        "json.decoder.JSONDecodeError",
    )


@pytest.mark.parametrize("name", ["builtins.ConectionError", "builtins.len", "huey_core.exceptions.Gone"])
def test_an_exception_that_its_imported_module_lacks_is_refused(name):
    with pytest.raises(ConfigurationError, match=f"retry_on names '{name}'"):
        CommandOptions.build(retry_on=[name])


@pytest.mark.parametrize("name", ["nosuch.Error", "huey_core.nosuch.Error", "shop.pay.<locals>.Error"])
def test_an_exception_of_a_module_that_is_not_imported_may_be_named(name):
    assert CommandOptions.build(retry_on=name).retry_on == (name,)


def test_an_exception_may_be_named_above_its_definition(tmp_path, monkeypatch):
    (tmp_path / "shop_errors.py").write_text(
        "from huey_core.commands.options import CommandOptions\n"
        "options = CommandOptions.build(retry_on='shop_errors.Closed')\n"
        "class Closed(Exception): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    shop = importlib.import_module("shop_errors")

    assert shop.options.may_retry(shop.Closed())


def test_an_exception_may_be_a_class_inside_another():
    assert CommandOptions.build(retry_on=f"{__name__}.Shop.Closed").may_retry(Shop.Closed())


def test_exiting_is_retried_only_when_asked_for():
    assert not CommandOptions.build(retries=1).may_retry(SystemExit())
    assert CommandOptions.build(retries=1, retry_on=SystemExit).may_retry(SystemExit())


class TestTable:
    def test_core_options_are_found_without_a_look_at_plugins(self):
        table = OptionTable(refuse_to_look)

        assert table.check({"retries": 3, "expires": timedelta(minutes=1)}) == {"retries": 3, "expires": 60.0}

    def test_an_option_that_core_lacks_is_looked_up_among_those_of_plugins(self):
        assert table_of(GIVE_UP_AFTER).build({"give_up_after": timedelta(hours=1)})[GIVE_UP_AFTER] == 3600.0

    def test_a_source_is_asked_only_for_what_those_before_it_lack(self):
        table = OptionTable(lambda: {GIVE_UP_AFTER.name: GIVE_UP_AFTER}, refuse_to_look)

        assert table.get("give_up_after") is GIVE_UP_AFTER

    def test_a_misspelt_option_of_a_plugin_is_told_with_its_name(self):
        with pytest.raises(ConfigurationError, match="did you mean 'give_up_after'"):
            table_of(GIVE_UP_AFTER).check({"give_up_afer": 3})

    def test_an_option_of_a_plugin_that_is_not_installed_is_told_with_what_to_install(self):
        table = OptionTable(known={"lock": "huey-limits"})

        with pytest.raises(ConfigurationError, match=r"no option 'lock'; .*pip install huey-limits$"):
            table.check({"lock": "mail"})

    def test_a_misspelt_option_of_a_plugin_that_is_not_installed_is_told_with_both(self):
        table = OptionTable(known={"rate_limit": "huey-limits"})

        with pytest.raises(ConfigurationError, match=r"did you mean 'rate_limit' \(pip install huey-limits\)\?"):
            table.check({"rate_limt": 3})

    def test_a_name_like_no_other_is_told_with_all_options(self):
        with pytest.raises(ConfigurationError, match=r"the options are expires, .*give_up_after, .*unique_key$"):
            table_of(GIVE_UP_AFTER).check({"zzz": 3})

    def test_what_the_check_of_a_plugin_refuses_is_refused(self):
        with pytest.raises(ConfigurationError, match="give_up_after"):
            table_of(GIVE_UP_AFTER).check({"give_up_after": -1})

    def test_of_what_came_from_elsewhere_only_the_known_options_are_checked(self):
        assert table_of(GIVE_UP_AFTER).check_known({"give_up_after": 5, "lock": object()}) == {"give_up_after": 5.0}

    def test_options_of_another_value_than_the_default_ask_for_what_they_need(self):
        table = table_of(GIVE_UP_AFTER, DELAYED)
        options = table.build({"priority": 5, "unique_key": None, "give_up_after": 60, "delayed": True})

        assert list(table.needs_of(options)) == [(Capability.PRIORITY, "priority"), (Capability.DELAY, "delayed")]

    def test_a_default_asks_for_nothing_though_it_is_given(self):
        table = table_of(DELAYED)

        assert list(table.needs_of(table.build({"priority": 0, "delayed": False}))) == []

    def test_options_of_another_table_are_refused(self):
        options = table_of(GIVE_UP_AFTER).build({"give_up_after": 60})

        with pytest.raises(ConfigurationError, match="no option 'give_up_after'"):
            list(OptionTable().needs_of(options))


def test_an_option_of_a_plugin_has_its_default_where_it_is_not_given():
    assert CommandOptions()[CommandOption("lock", flag, True, help="Something.")] is True


@pytest.mark.parametrize("given", [{}, {"retries": 7}])
def test_an_option_of_core_is_read_as_one_of_a_plugin_is(given):
    options = CommandOptions.build(**given)

    assert options[CORE_OPTIONS["retries"]] == options.retries


def test_other_values_of_some_options_leave_the_rest():
    options = table_of(GIVE_UP_AFTER).build({"give_up_after": 60, "retries": 2})

    changed = options.with_values({"retries": 5})

    assert (changed.retries, changed[GIVE_UP_AFTER]) == (5, 60.0)


@given(
    st.dictionaries(st.sampled_from(["retries", "priority", "give_up_after"]), st.integers(0, 9)),
    st.dictionaries(st.sampled_from(["retries", "priority", "give_up_after"]), st.integers(0, 9)),
)
def test_values_are_replaced_one_by_one_as_if_they_were_given_together(first, second):
    table = table_of(GIVE_UP_AFTER)

    assert CommandOptions().with_values(first).with_values(second) == CommandOptions().with_values(first | second)
    assert table.build(first | second) == CommandOptions().with_values(table.check(first | second))


def test_options_can_be_sent_to_another_process():
    options = table_of(GIVE_UP_AFTER).build({"retries": 2, "give_up_after": 60})

    assert pickle.loads(pickle.dumps(options)) == options
    assert pickle.loads(pickle.dumps(CommandOptions())) == CommandOptions()


def table_of(*options):
    return OptionTable(lambda: {option.name: option for option in options})


def refuse_to_look():
    raise AssertionError("nothing is unknown so far")

"""``crontab()``: which minutes match, and which fields are refused."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huey_core.commands.crontab import crontab
from huey_core.exceptions import ConfigurationError

RANGES = {"month": (1, 12), "day": (1, 31), "day_of_week": (0, 7), "hour": (0, 23), "minute": (0, 59)}
MONDAY = dt.datetime(2030, 1, 7, 3, 30)


def field_of(when: dt.datetime, field: str) -> int:
    return int(when.strftime("%w")) if field == "day_of_week" else int(getattr(when, field))


@st.composite
def pieces(draw: st.DrawFn, field: str) -> tuple[str, set[int]]:
    """One piece of a field, and the values that a reader of cron's manual expects of it."""
    low, high = RANGES[field]
    first, last = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
    step = draw(st.integers(1, high - low + 1))
    everything = range(low, high + 1)
    return draw(
        st.sampled_from([
            ("*", set(everything)),
            (f"*/{step}", {n for n in everything if (n - low) % step == 0}),
            (str(first), {first}),
            (f"{first}-{last}", {n for n in range(low, high + 1) if first <= n <= last}),
            (f"{first}-{last}/{step}", {n for n in range(first, last + 1) if (n - first) % step == 0}),
        ])
    )  # fmt: skip


@pytest.mark.parametrize("field", RANGES)
@given(data=st.data(), when=st.datetimes())
def test_a_field_matches_the_values_that_its_pieces_name(field: str, data: st.DataObject, when: dt.datetime) -> None:
    drawn = data.draw(st.lists(pieces(field), min_size=1, max_size=4))
    text = ",".join(piece for piece, _ in drawn)
    expected = set().union(*(numbers for _, numbers in drawn))
    if field == "day_of_week":
        expected = {number % 7 for number in expected}

    matches = crontab(**{"minute": "*", field: text})

    assert matches(when) == (field_of(when, field) in expected)


@given(
    when=st.datetimes(min_value=dt.datetime(2000, 1, 1)),
    fields=st.fixed_dictionaries({}, optional={name: st.sampled_from(["*", "*/2"]) for name in RANGES}),
)
def test_all_fields_must_match(when: dt.datetime, fields: dict[str, str]) -> None:
    alone = [crontab(**{"minute": "*", name: text})(when) for name, text in fields.items()]

    assert crontab(**{"minute": "*", **fields})(when) == all(alone)


@given(when=st.datetimes())
def test_by_default_every_minute_matches(when: dt.datetime) -> None:
    assert crontab()(when)


def test_positional_fields_are_month_day_day_of_week_hour_minute() -> None:
    assert crontab(1, 7, 1, 3, 30)(MONDAY)
    assert not crontab(1, 7, 1, 30 % 24, 3)(MONDAY)


def test_day_and_day_of_week_must_both_match() -> None:
    matches = crontab(day=13, day_of_week=5, minute="*")

    assert matches(dt.datetime(2030, 9, 13))
    assert not matches(dt.datetime(2030, 6, 13))
    assert not matches(dt.datetime(2030, 9, 6))


@pytest.mark.parametrize("sunday", [0, 7, "0", "7", "6-7", "5-7/2"])
def test_sunday_is_0_and_7(sunday: int | str) -> None:
    assert crontab(day_of_week=sunday, minute=0)(dt.datetime(2030, 1, 6))


def test_seconds_do_not_matter() -> None:
    assert crontab(hour=3, minute=30)(MONDAY.replace(second=59, microsecond=1))


def test_blanks_around_pieces_do_not_matter() -> None:
    assert crontab(minute="0, 30")(MONDAY)


def test_repr_shows_how_it_was_made() -> None:
    assert repr(crontab(hour=3, minute="*/15,7")) == "crontab(hour='3', minute='*/15,7')"
    assert repr(crontab()) == "crontab()"
    assert repr(crontab(minute=0, tz="Europe/Paris")) == "crontab(minute='0', tz='Europe/Paris')"
    assert repr(crontab.parse("@daily", tz="UTC")) == "crontab.parse('@daily', tz='UTC')"


def test_equal_fields_make_equal_crontabs() -> None:
    assert crontab(hour=3, minute=0) == crontab(hour="3", minute="0")
    assert crontab(minute=0, tz="Europe/Paris") == crontab(minute=0, tz=ZoneInfo("Europe/Paris")) != crontab(minute=0)
    assert len({crontab(hour=3, minute=0), crontab(hour="3", minute=0), crontab(hour=4, minute=0)}) == 2


@pytest.mark.parametrize("field", RANGES)
@given(text=st.text(alphabet="0123456789*-/,. ab", max_size=8))
def test_any_text_is_read_or_refused_with_field_and_range(field: str, text: str) -> None:
    low, high = RANGES[field]
    try:
        crontab(**{"minute": "*", field: text})
    except ConfigurationError as error:
        refusal = str(error)
    else:
        return
    assert refusal.startswith(f"crontab({field}={text!r}): ")
    assert refusal.endswith(f"; {field} takes {low} to {high}")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"minute": 60}, r"crontab\(minute=60\): 60 is out of range; minute takes 0 to 59"),
        ({"minute": -1}, "'-1' is not a number"),
        ({"hour": "24"}, "24 is out of range; hour takes 0 to 23"),
        ({"day": 0}, "0 is out of range; day takes 1 to 31"),
        ({"month": "1-13"}, "13 is out of range; month takes 1 to 12"),
        ({"day_of_week": 8}, "8 is out of range; day_of_week takes 0 to 7"),
        ({"day_of_week": "may"}, "'may' is not a number, and is none of sun, mon, tue, wed, thu, fri, sat"),
        ({"day_of_week": "monday"}, "'monday' is not a number, a name such as sun, "),
        ({"hour": "mon"}, "'mon' is not a number; hour takes 0 to 23"),
        ({"day_of_week": "fri-mon"}, "'fri-mon' runs backwards; write 5-7,0-1 to wrap around"),
        (
            {"minute": 0, "tz": "Europe/Pariss"},
            "no time zone 'Europe/Pariss' on this machine; did you mean 'Europe/Paris'",
        ),
        ({"minute": 0, "tz": "../zone"}, "no time zone '../zone' on this machine; names are such as 'Europe/Paris'"),
        ({"minute": 0, "tz": "America"}, "no time zone 'America' on this machine"),
        ({"minute": 0, "tz": dt.UTC}, "a time zone is given by its name, such as 'Europe/Paris', not datetime"),
        ({"minute": ""}, "'' is not a number"),
        ({"minute": "1,,2"}, "'' is not a number"),
        ({"minute": "5/15"}, "'5/15' is not a number"),
        ({"minute": "*/0"}, "a step of 0 is not possible"),
        ({"minute": "0-30/0"}, "a step of 0 is not possible"),
        ({"minute": "*/90"}, "a step of 90 is not possible"),
        ({"hour": "22-2"}, "'22-2' runs backwards; write 22-23,0-2 to wrap around"),
        ({"minute": True}, "neither a number nor text"),
        ({"minute": 1.5}, "neither a number nor text"),
        ({"minute": "٣"}, "is not a number"),
        ({"month": 2, "day": 30}, "never matches"),
        ({"month": "4,6,9,11", "day": 31}, "never matches"),
    ],
    ids=str,
)
def test_a_bad_field_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        crontab(**{"minute": "*", **fields})


@pytest.mark.parametrize("line", ["0 3 * * *", "@daily"])
def test_a_line_of_cron_is_refused_with_what_reads_it(line: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        crontab(line)
    assert str(refusal.value) == f"crontab(month={line!r}): a line of cron is read by crontab.parse({line!r})"


def test_the_29th_of_february_is_a_day() -> None:
    assert crontab(month=2, day=29, minute=0)(dt.datetime(2032, 2, 29))


def in_utc(*fields: int) -> dt.datetime:
    return dt.datetime(*fields, tzinfo=dt.UTC)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "after", "following"),
    [
        ({}, in_utc(2030, 1, 7, 3, 30), in_utc(2030, 1, 7, 3, 31)),
        ({}, in_utc(2030, 1, 7, 3, 30, 59, 999_999), in_utc(2030, 1, 7, 3, 31)),
        ({"hour": 3, "minute": 30}, in_utc(2030, 1, 7, 3, 29, 59), in_utc(2030, 1, 7, 3, 30)),
        ({"hour": 3, "minute": 30}, in_utc(2030, 1, 7, 3, 30), in_utc(2030, 1, 8, 3, 30)),
        ({"minute": "5,50"}, in_utc(2030, 12, 31, 23, 55), in_utc(2031, 1, 1, 0, 5)),
        ({"day": 31, "hour": 0, "minute": 0}, in_utc(2030, 1, 31), in_utc(2030, 3, 31)),
        ({"month": 2, "day": 29, "hour": 0, "minute": 0}, in_utc(2096, 3, 1), in_utc(2104, 2, 29)),
        ({"month": 2, "day": 29, "day_of_week": 1, "hour": 0, "minute": 0}, in_utc(2088, 3, 1), in_utc(2112, 2, 29)),
    ],
    ids=str,
)  # fmt: skip
def test_the_next_time_is_the_first_later_minute_that_matches(fields, after, following) -> None:
    found = crontab(**fields).next_after(after)

    assert found == following
    assert found.tzinfo is dt.UTC


def test_there_is_no_time_after_the_last_year() -> None:
    assert crontab().next_after(in_utc(9998, 12, 31, 23, 59)) is None
    assert crontab().next_after(in_utc(9999, 12, 31, 23, 59)) is None
    assert crontab(month=2, day=29, minute=0).next_after(in_utc(9996, 3, 1)) is None


@given(
    after=st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2050, 1, 1), timezones=st.just(dt.UTC)),
    fields=st.fixed_dictionaries(
        {"hour": st.sampled_from(["*", "3", "*/7"]), "minute": st.sampled_from(["*", "0", "*/25"])},
        optional={"day_of_week": st.sampled_from(["0", "1-5"]), "day": st.sampled_from(["1", "*/9"])},
    ),
)
def test_no_minute_before_the_next_time_matches(after: dt.datetime, fields: dict[str, str]) -> None:
    schedule = crontab(**fields)

    found = schedule.next_after(after)

    minute = after.replace(second=0, microsecond=0) + dt.timedelta(minutes=1)
    while not schedule(minute):
        minute += dt.timedelta(minutes=1)
    assert found == minute


@pytest.mark.parametrize("fields", [{"hour": 3}, {"day": 1}, {"day_of_week": "mon"}], ids=str)
def test_a_crontab_that_has_other_fields_and_no_minute_is_warned_of(fields: dict[str, Any]) -> None:
    with pytest.warns(UserWarning, match=r"has no minute, so it is due in every minute of each hour") as warned:
        crontab(**fields)

    assert [one.filename for one in warned] == [__file__]


@pytest.mark.parametrize("fields", [{}, {"hour": 3, "minute": "*"}, {"hour": 3, "minute": 0}, {"hour": "*"}], ids=str)
def test_what_is_meant_to_run_every_minute_is_not_warned_of(fields: dict[str, Any], recwarn) -> None:
    crontab(**fields).by_local_time()

    assert not recwarn.list


@pytest.mark.parametrize(
    ("written", "numbers"),
    [
        ({"day_of_week": "mon-fri"}, {"day_of_week": "1-5"}),
        ({"day_of_week": "MON,Wed"}, {"day_of_week": "1,3"}),
        ({"day_of_week": "sat-sun"}, {"day_of_week": "6-7"}),
        ({"day_of_week": "sun-tue/2"}, {"day_of_week": "0-2/2"}),
        ({"month": "jan,jun-aug"}, {"month": "1,6-8"}),
    ],
    ids=str,
)
@given(when=st.datetimes())
def test_days_and_months_may_be_called_by_their_names(written, numbers, when: dt.datetime) -> None:
    assert crontab(**written, minute="*")(when) == crontab(**numbers, minute="*")(when)


def test_a_machine_without_time_zones_is_told_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr(zoneinfo, "available_timezones", set)

    with pytest.raises(ConfigurationError, match="none on this machine; install them with: pip install tzdata"):
        crontab(minute=0, tz="Europe/Atlantis")


class TestALineOfCron:
    @pytest.mark.parametrize(
        ("line", "same"),
        [
            ("*/5 9-17 * * mon-fri", crontab(minute="*/5", hour="9-17", day_of_week="mon-fri")),
            ("  0\t3 1 jan *  ", crontab(minute=0, hour=3, day=1, month="jan")),
            ("0 0 */2 * mon", crontab(minute=0, hour=0, day="*/2", day_of_week="mon")),
            ("@hourly", crontab(minute=0)),
            ("@daily", crontab(minute=0, hour=0)),
            ("@midnight", crontab(minute=0, hour=0)),
            ("@Weekly", crontab(minute=0, hour=0, day_of_week=0)),
            ("@monthly", crontab(minute=0, hour=0, day=1)),
            ("@yearly", crontab(minute=0, hour=0, day=1, month=1)),
            ("@annually", crontab(minute=0, hour=0, day=1, month=1)),
        ],
    )
    def test_is_read(self, line: str, same: crontab) -> None:
        assert crontab.parse(line) == same

    def test_that_has_a_day_and_a_day_of_the_week_matches_either(self) -> None:
        matches = crontab.parse("0 0 13 * fri")

        assert matches(dt.datetime(2030, 9, 13))
        assert matches(dt.datetime(2030, 6, 13))
        assert matches(dt.datetime(2030, 9, 6))
        assert not matches(dt.datetime(2030, 9, 7))
        assert matches.next_after(in_utc(2030, 6, 7)) == in_utc(2030, 6, 13)
        assert matches != crontab(minute=0, hour=0, day=13, day_of_week="fri")

    def test_has_a_day_of_the_week_although_no_month_has_the_day(self) -> None:
        assert crontab.parse("0 0 30 2 mon")(dt.datetime(2030, 2, 4))

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("", "it has 0 fields, and a line of cron has five, for minute, hour, day, month and day of the week, or"),
            ("* * * *", "it has 4 fields"),
            ("0 3 * * * backup", "it has 6 fields"),
            ("@reboot", "it has 1 field, and .* or is one of @yearly, "),
            ("60 * * * *", r"crontab\(minute='60'\): 60 is out of range; minute takes 0 to 59"),
            ("* * * * fry", r"crontab\(day_of_week='fry'\): 'fry' is not a number, and is none of sun, mon, "),
            ("0 0 L * *", r"crontab\(day='L'\): 'L' is not a number"),
            ("0 0 30 2 *", "never matches: no such month has such a day"),
        ],
    )
    def test_that_cannot_be_read_is_refused(self, line: str, reason: str) -> None:
        with pytest.raises(ConfigurationError, match=reason) as refusal:
            crontab.parse(line)
        assert str(refusal.value).startswith(f"crontab.parse({line!r}): ")

    def test_is_a_text(self) -> None:
        with pytest.raises(ConfigurationError, match=r"reads a text, such as '0 3 \* \* \*', not 5"):
            crontab.parse(5)  # type: ignore[arg-type]

    @given(line=st.text(alphabet="0123456789*-/,abcdefghijklmnopqrstuvwxyz@ ", max_size=20))
    def test_of_any_text_is_read_or_refused(self, line: str) -> None:
        try:
            made = crontab.parse(line)
        except ConfigurationError as error:
            refusal = str(error)
        else:
            assert crontab.parse(made.line or "") == made
            return
        assert refusal.startswith(f"crontab.parse({line!r}): ")


@given(
    fields=st.fixed_dictionaries({name: pieces(name).map(lambda drawn: drawn[0]) for name in RANGES if name != "day"})
)
def test_what_a_crontab_says_of_itself_makes_the_same_again(fields: dict[str, str]) -> None:
    made = crontab(**fields, tz="Europe/Paris")

    assert crontab(**made.fields, tz=made.tz) == made

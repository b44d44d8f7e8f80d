"""From local time to the epoch, with the clocks changing in between."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from huey_core.commands.local_time import to_epoch
from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def local_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """A function that sets the local time zone of this process, until the test ends."""

    def use(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield use
    monkeypatch.undo()
    time.tzset()


def utc(*parts: int) -> float:
    return dt.datetime(*parts, tzinfo=dt.UTC).timestamp()  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("zone", "hour"),
    [("UTC", 12), ("Europe/Berlin", 10), ("America/New_York", 16), ("Pacific/Auckland", 0)],
)
def test_a_naive_eta_is_local_time(local_zone: Callable[[str], None], zone: str, hour: int) -> None:
    local_zone(zone)

    assert to_epoch(dt.datetime(2030, 7, 1, 12, 0)) == utc(2030, 7, 1, hour)


def test_a_naive_eta_is_utc_when_it_is_not_to_be_converted(local_zone: Callable[[str], None]) -> None:
    local_zone("Europe/Berlin")

    assert to_epoch(dt.datetime(2030, 7, 1, 12, 0), convert_utc=False) == utc(2030, 7, 1, 12)


@pytest.mark.parametrize("convert_utc", [True, False])
def test_an_aware_eta_is_taken_as_it_is(local_zone: Callable[[str], None], convert_utc: bool) -> None:
    local_zone("America/New_York")

    assert to_epoch(dt.datetime(2030, 7, 1, 12, 0, tzinfo=BERLIN), convert_utc) == utc(2030, 7, 1, 10)


@pytest.mark.parametrize("aware", [None, BERLIN], ids=["naive", "aware"])
def test_an_ambiguous_eta_is_the_first_of_the_two(local_zone: Callable[[str], None], aware: ZoneInfo | None) -> None:
    local_zone("Europe/Berlin")

    assert to_epoch(dt.datetime(2030, 10, 27, 2, 30, tzinfo=aware)) == utc(2030, 10, 27, 0, 30)


@pytest.mark.parametrize("aware", [None, BERLIN], ids=["naive", "aware"])
def test_an_ambiguous_eta_with_fold_is_the_second(local_zone: Callable[[str], None], aware: ZoneInfo | None) -> None:
    local_zone("Europe/Berlin")

    assert to_epoch(dt.datetime(2030, 10, 27, 2, 30, fold=1, tzinfo=aware)) == utc(2030, 10, 27, 1, 30)


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize("aware", [None, BERLIN], ids=["naive", "aware"])
def test_a_non_existent_eta_moves_forward(local_zone: Callable[[str], None], aware: ZoneInfo | None, fold: int) -> None:
    local_zone("Europe/Berlin")

    moved = to_epoch(dt.datetime(2030, 3, 31, 2, 30, fold=fold, tzinfo=aware))

    assert dt.datetime.fromtimestamp(moved) == dt.datetime(2030, 3, 31, 3, 30)


def test_a_gap_of_half_an_hour_moves_forward_by_half_an_hour(local_zone: Callable[[str], None]) -> None:
    local_zone("Australia/Lord_Howe")

    moved = to_epoch(dt.datetime(2030, 10, 6, 2, 10))

    assert dt.datetime.fromtimestamp(moved) == dt.datetime(2030, 10, 6, 2, 40)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    when=st.datetimes(dt.datetime(1980, 1, 1), dt.datetime(2037, 1, 1)), zone=st.sampled_from(["Europe/Berlin", "UTC"])
)
def test_every_local_time_that_exists_comes_back(
    local_zone: Callable[[str], None], when: dt.datetime, zone: str
) -> None:
    local_zone(zone)
    back = dt.datetime.fromtimestamp(to_epoch(when))

    gap = when.replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != when
    assert back > when if gap else back == when


def test_the_past_is_as_good_as_the_future(local_zone: Callable[[str], None]) -> None:
    local_zone("UTC")

    assert to_epoch(dt.datetime(1969, 12, 31, 23, 59, 59)) == -1.0


@pytest.mark.parametrize("eta", [1.0, dt.date(2030, 1, 1), dt.timedelta(1), "2030-01-01", None], ids=repr)
def test_what_is_no_datetime_is_refused_with_help(eta: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"must be a datetime.datetime, not {type(eta).__name__};"):
        to_epoch(eta)  # type: ignore[arg-type]


def test_a_time_at_the_edge_of_the_calendar_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^eta 0001-01-01T00:00:00 cannot be converted to UTC"):
        to_epoch(dt.datetime.min)

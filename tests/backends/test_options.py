"""Options of a URL are read as values, or refused."""

from __future__ import annotations

import pytest

from huey_core.backends.options import (
    optional,
    parse_bool,
    parse_positive_int,
    parse_positive_seconds,
    parse_positive_size,
    parse_seconds,
    parse_size,
    parse_text,
)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (parse_bool, "Yes", True),
        (parse_bool, "1", True),
        (parse_bool, "off", False),
        (parse_positive_int, "3", 3),
        (parse_seconds, "90", 90.0),
        (parse_seconds, "1.5", 1.5),
        (parse_seconds, "0", 0.0),
        (parse_seconds, "250ms", 0.25),
        (parse_seconds, "90s", 90.0),
        (parse_seconds, "5m", 300.0),
        (parse_seconds, "2h", 7200.0),
        (parse_seconds, "1d", 86400.0),
        (parse_size, "100", 100),
        (parse_size, "64KiB", 65536),
        (parse_size, "1.5 mib", 1572864),
        (parse_size, "1GB", 1_000_000_000),
        (parse_size, "1.001kB", 1001),
        (parse_size, "0", 0),
        (parse_positive_size, "1B", 1),
        (parse_text, "x", "x"),
        (optional(parse_positive_int), "None", None),
        (optional(parse_positive_int), "4", 4),
    ],
)
def test_readers_of_options_accept(parse: object, text: str, value: object) -> None:
    read = parse(text)  # type: ignore[operator]

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_bool, "maybe"),
        (parse_bool, ""),
        (parse_positive_int, "1_000"),
        (parse_positive_int, "1.0"),
        (parse_positive_int, "9" * 5000),
        (parse_positive_int, "٣"),
        (parse_positive_int, "0"),
        (parse_positive_int, "-1"),
        (parse_seconds, "-1"),
        (parse_seconds, "1w"),
        (parse_seconds, "nan"),
        (parse_seconds, "9" * 400),
        (parse_seconds, ""),
        (parse_positive_seconds, "0"),
        (parse_size, "1.5"),
        (parse_positive_size, "0"),
        (parse_positive_size, "0kB"),
        (parse_size, "1TB"),
        (parse_size, "9" * 5000),
        (parse_text, ""),
        (optional(parse_positive_int), "x"),
    ],
)
def test_readers_of_options_refuse_without_repeating_the_text(parse: object, text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected ") as caught:
        parse(text)  # type: ignore[operator]

    assert not text or repr(text) not in str(caught.value)

"""Backend URLs: their parts, their options as values, and that a password never shows."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from huey_core.backends.options import (
    Option,
    parse_positive_int,
    parse_seconds,
    parse_size,
    parse_text,
)
from huey_core.backends.url import BackendURL
from huey_core.exceptions import ConfigurationError

SECRET = "S3cr3t"


def test_every_part_of_a_full_url_is_found() -> None:
    url = BackendURL.parse("redis://ann:p%40ss@localhost:6379/0?queue=mail&lease=5m")

    assert (url.scheme, url.username, url.password) == ("redis", "ann", "p@ss")
    assert (url.hosts, url.path, url.database) == ((("localhost", 6379),), "/0", "0")
    assert url.query == (("queue", "mail"), ("lease", "5m"))
    assert url.options == {}


@pytest.mark.parametrize(
    ("text", "hosts", "path"),
    [
        ("memory://", (), ""),
        ("memory:", (), ""),
        ("redis://h", (("h", None),), ""),
        ("redis://h/", (("h", None),), "/"),
        ("sqlite:///queue.db", (), "/queue.db"),
        ("sqlite:////var/lib/queue.db", (), "//var/lib/queue.db"),
        ("sqlite:///a%20b.db", (), "/a b.db"),
        ("redis+unix:///run/redis.sock", (), "/run/redis.sock"),
        ("mongodb://a:1,b,[::1]:3/db", (("a", 1), ("b", None), ("::1", 3)), "/db"),
        ("mongodb://%2Frun%2Fmongo.sock/db", (("/run/mongo.sock", None),), "/db"),
        ("redis://[fe80::1%25eth0]", (("fe80::1%eth0", None),), ""),
    ],
)
def test_hosts_and_path(text: str, hosts: tuple[tuple[str, int | None], ...], path: str) -> None:
    url = BackendURL.parse(text)

    assert (url.hosts, url.path) == (hosts, path)


def test_the_scheme_is_lower_cased() -> None:
    assert BackendURL.parse("Redis+Unix:///x").scheme == "redis+unix"


def test_the_short_form_takes_options_too() -> None:
    assert BackendURL.parse("memory:?queue=mail") == BackendURL.parse("memory://?queue=mail")


def test_a_plus_in_an_option_is_a_plus() -> None:
    assert BackendURL.parse("redis://h?queue=a+b").query == (("queue", "a+b"),)


def test_a_password_without_a_user_name() -> None:
    url = BackendURL.parse("redis://:pw@h")

    assert (url.username, url.password) == (None, "pw")


def test_the_last_at_sign_ends_the_password() -> None:
    url = BackendURL.parse("redis://ann:p@ss@h")

    assert (url.password, url.hosts) == ("p@ss", (("h", None),))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "begins with a scheme and '://'"),
        ("localhost:6379", "for example redis://"),
        (f"redis:/:{SECRET}@h", "for example redis://"),
        ("1redis://h", "a letter followed by"),
        ("redis_unix:///x", r"cannot contain '_'; write '\+' or '-'"),
        (f"redis://:{SECRET}#x@h", "write %23"),
        (f"redis://:{SECRET}/x@h", "write %2F"),
        (f"redis://:{SECRET}?x@h", "%3F"),
        (f"redis://ann:{SECRET}", "the port of host 1 .* from 1 to 65535"),
        ("redis://h:0", "from 1 to 65535"),
        ("redis://h:65536", "from 1 to 65535"),
        ("redis://h:", "from 1 to 65535"),
        ("redis://h:\uff11", "from 1 to 65535"),
        ("redis://a,,b", "host 2 .* is empty"),
        ("redis://:6379", "host 1 .* is empty"),
        ("redis://::1", "in brackets"),
        ("redis://[h]:1", "not an IPv6 address"),
        ("redis://[::1]6379", "not an IPv6 address"),
        ("redis://[::1", "not an IPv6 address"),
        (f"redis://:{SECRET}%@h", "the password .* write %25"),
        (f"redis://:{SECRET}%ff@h", "the password .* not UTF-8"),
        ("redis://h/%zz", "the path .* write %25"),
        ("redis://h?queue", "option 1 .* name=value"),
        ("redis://h?a=1&=2", "option 2 .* name=value"),
        ("redis://h?a=1&", "option 2 .* name=value"),
        (f"redis://h?password={SECRET}&password={SECRET}", "'password' is given twice"),
        (f"redis://:{SECRET}@h/a b", "blank"),
        ("redis://h\n", "control character"),
        ("redis://h\udcff", "not valid Unicode at character 10"),
        (f"redis://:{SECRET}\udcff@h", "not valid Unicode"),
    ],
)
def test_a_bad_url_is_refused_with_the_part_and_without_the_password(text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        BackendURL.parse(text)

    assert SECRET not in "".join(traceback.format_exception_only(caught.value))


@given(st.text(alphabet="redis:/@?#&=%[]0123456789abc,.+_ \n\\é") | st.text())
@example("redis://[%zz]")
@example("redis://[v1.a]")
def test_any_text_is_a_url_or_refused(text: str) -> None:
    try:
        url = BackendURL.parse(text)
    except ConfigurationError:
        return
    assert BackendURL.parse(url.render(hide_password=False)) == url


some_text = st.text(min_size=1)
ports = st.none() | st.integers(1, 65535)
host_names = some_text | st.ip_addresses(v=6).map(str)
urls = st.builds(
    BackendURL,
    scheme=st.from_regex(r"[a-z][a-z0-9+.-]*", fullmatch=True),
    username=st.none() | some_text,
    password=st.none() | st.text(),
    hosts=st.lists(st.tuples(host_names, ports), max_size=3).map(tuple),
    path=st.just("") | st.text().map(lambda tail: f"/{tail}"),
    query=st.dictionaries(some_text, st.text(), max_size=3).map(lambda query: tuple(query.items())),
)


@given(urls)
def test_what_is_rendered_in_full_is_parsed_back(url: BackendURL) -> None:
    assert BackendURL.parse(url.render(hide_password=False)) == url


def test_str_and_repr_hide_the_password_and_secret_options() -> None:
    url = BackendURL.parse(f"redis://ann:{SECRET}@h:1/0?ssl_password={SECRET}&accessToken={SECRET}&queue=mail")

    assert str(url) == "redis://ann:***@h:1/0?ssl_password=***&accessToken=***&queue=mail"
    assert repr(url) == f"BackendURL({str(url)!r})"


def test_the_password_does_not_show_after_options_were_read() -> None:
    option = Option("password", parse_text, None, "a password")

    url = BackendURL.parse(f"redis://:{SECRET}@h?password={SECRET}").with_options([option])

    assert url.options["password"] == SECRET
    assert SECRET not in f"{url} {url!r}"


def test_the_common_options_have_defaults() -> None:
    assert BackendURL.parse("memory://").with_options([]).options == {
        "queue": "huey",
        "results": None,
        "serializer": "json",
        "lease": 60.0,
        "result_ttl": 86400.0,
        "max_deliveries": 5,
        "max_body_size": 17 * 2**20,
    }


def test_the_common_options_are_read_as_values() -> None:
    url = BackendURL.parse(
        "memory:?queue=mail&results=r&serializer=json|signed&lease=90s&result_ttl=none&max_deliveries=2"
        "&max_body_size=1MiB"
    )

    assert url.with_options([]).options == {
        "queue": "mail",
        "results": "r",
        "serializer": "json|signed",
        "lease": 90.0,
        "result_ttl": None,
        "max_deliveries": 2,
        "max_body_size": 2**20,
    }


def test_a_backend_option_is_read_or_takes_its_default() -> None:
    options = [Option("db", parse_positive_int, 0, "the database"), Option("size", parse_size, 1, "bytes")]

    url = BackendURL.parse("redis://h?db=3").with_options(options)

    assert (url.options["db"], url.options["size"]) == (3, 1)


def test_a_backend_can_change_the_default_of_a_common_option() -> None:
    url = BackendURL.parse("redis://h").with_options([Option("lease", parse_seconds, 5.0, "seconds")])

    assert url.options["lease"] == 5.0


def test_reading_options_leaves_the_url_equal() -> None:
    url = BackendURL.parse("redis://h?queue=mail")

    assert url.with_options([]) == url
    assert url.options == {}


@pytest.mark.parametrize("name", ["leese", "Lease", "leas"])
def test_an_unknown_option_is_refused_with_the_closest_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"redis:// has no option '{name}'; did you mean 'lease'?"):
        BackendURL.parse(f"redis://h?{name}=1").with_options([])


@pytest.mark.parametrize("name", ["replicaSet", "replicaset", "REPLICASET"])
def test_an_option_of_any_case_is_read_under_its_own_name(name: str) -> None:
    option = Option("replicaSet", str, None, "the name of the replica set", any_case=True)

    url = BackendURL.parse(f"mongodb://h?{name}=rs0").with_options([option])

    assert (url.options["replicaSet"], url.query) == ("rs0", (("replicaSet", "rs0"),))


def test_an_option_that_is_there_in_two_cases_is_given_twice() -> None:
    option = Option("replicaSet", str, None, "the name of the replica set", any_case=True)

    with pytest.raises(ConfigurationError, match="'replicaSet' is given twice"):
        BackendURL.parse("mongodb://h?replicaSet=rs0&replicaset=rs1").with_options([option])


def test_an_unknown_option_that_resembles_none_is_refused_with_the_list() -> None:
    with pytest.raises(ConfigurationError, match="its options are lease, max_body_size, max_deliveries, queue"):
        BackendURL.parse("redis://h?zzzz=1").with_options([])


def test_a_bad_value_is_refused_with_option_value_and_expectation() -> None:
    with pytest.raises(
        ConfigurationError, match="'max_deliveries' of redis:// cannot be 'few': expected a whole number"
    ):
        BackendURL.parse("redis://h?max_deliveries=few").with_options([])


def test_a_bad_value_of_a_secret_option_is_not_repeated() -> None:
    option = Option("token", int, None, "the token, a number")

    with pytest.raises(ConfigurationError, match="'token' of redis:// is not usable: the token, a number") as caught:
        BackendURL.parse(f"redis://h?token={SECRET}").with_options([option])

    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("said", ["no such user: s3cret!", "cannot connect to kite://bob:s3cret%21@host"])
def test_a_password_is_hidden_in_what_a_driver_wrote_as_it_is_and_as_a_url_has_it(said):
    hidden = BackendURL.parse("kite://bob:s3cret%21@host/").hide_password(said)

    assert "s3cret" not in hidden
    assert "***" in hidden


def test_a_url_without_a_password_hides_nothing():
    assert BackendURL.parse("kite://host/").hide_password("no route to host") == "no route to host"

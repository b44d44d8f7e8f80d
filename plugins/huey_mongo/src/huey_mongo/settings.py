"""Where the servers are and how to talk to them: complete, and safe to print."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from huey_core.backends import BackendURL, check_tls_files
from huey_core.exceptions import ConfigurationError
from huey_core.secret import Secret, hidden, revealed
from huey_mongo.options import (
    DEFAULT_COLLECTION,
    DEFAULT_POLL,
    DRIVER_DEFAULTS,
    DRIVER_OPTIONS,
    OPTIONS,
    STEP_LIMITS,
    TIME_LIMIT,
    TLS_FILES,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_DATABASE", "DEFAULT_URL", "Settings"]

DEFAULT_URL: Final = "mongodb://localhost/huey"
DEFAULT_DATABASE: Final = "huey"

_DATABASE: Final = re.compile(r"[^/\\. \"$*<>:|?\x00]{1,63}")
_PASSED_ON: Final = frozenset(option.name for option in DRIVER_OPTIONS)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One collection of one server or cluster, and how to reach it.

    Attributes:
        uri: The driver's connection string. Never shown: it holds the password.
        hosts: The hosts that the URL names.
        database: The name of the database.
        collection: The name of the collection.
        poll: The longest pause in seconds of an idle consumer without change streams.
        time_limit: Seconds for a whole call; ``None`` when only its steps have limits.
        login: As whom it logs in, for messages; ``None`` when the URL gives no login.
    """

    uri: str = field(repr=False)
    hosts: tuple[str, ...]
    database: str
    collection: str
    poll: float = DEFAULT_POLL
    time_limit: float | None = TIME_LIMIT
    login: str | None = None

    @classmethod
    def of_text(cls, url: str) -> Settings:
        """Make settings of the text of a URL; see :meth:`of`."""
        url = hidden(url)
        return cls.of(BackendURL.parse(url).with_options(OPTIONS))

    @classmethod
    def of(cls, url: BackendURL) -> Settings:
        """Make settings of a URL.

        Raises:
            ConfigurationError: It is not one of MongoDB, or a part of it cannot be used.
        """
        if url.scheme not in {"mongodb", "mongodb+srv"}:
            raise ConfigurationError(f"huey-mongo takes mongodb:// and mongodb+srv:// URLs, not {url.scheme}://")
        if url.scheme == "mongodb+srv" and (len(url.hosts) != 1 or url.hosts[0][1] is not None):
            raise ConfigurationError("mongodb+srv:// takes one host name without a port; DNS knows the others")
        if url.database and not _DATABASE.fullmatch(url.database):
            raise ConfigurationError(
                f"the path of {url.scheme}:// cannot be {url.database!r}: expected a database name"
            )
        _check_tls_files(url)
        hosts = tuple(_host(host, port) for host, port in url.hosts) or ("localhost",)
        return cls(
            uri=_uri(url, hosts),
            hosts=tuple(sorted(host.lower() for host in hosts)),
            database=url.database or DEFAULT_DATABASE,
            collection=url.options.get("collection", DEFAULT_COLLECTION),
            poll=url.options.get("poll", DEFAULT_POLL),
            time_limit=_time_limit(url),
            login=_login(url),
        )

    @property
    def place(self) -> tuple[tuple[str, ...], str, str]:
        """Where the data is, as far as the settings can tell: two that are equal here share their documents."""
        return self.hosts, self.database, self.collection


def _login(url: BackendURL) -> str | None:
    options = dict(url.query)
    mechanism = options.get("authMechanism", "")
    if url.username is None:
        return mechanism or None
    # What the driver takes for the database when the option is not given.
    source = url.database or "admin" if mechanism in {"", "SCRAM-SHA-1", "SCRAM-SHA-256"} else "$external"
    return f"user {url.username!r} of the database {options.get('authSource', source)!r}"


def _check_tls_files(url: BackendURL) -> None:
    given = dict(url.query)
    authorities, revoked, own = ((name, given[name]) if name in given else None for name in TLS_FILES)
    if authorities or revoked or own:
        check_tls_files(
            url.scheme,
            trusted=[named for named in (authorities, revoked) if named],
            certificate=own,
            password=given.get("tlsCertificateKeyFilePassword"),
        )


def _time_limit(url: BackendURL) -> float | None:
    given = {name.lower(): text for name, text in url.query}
    if "timeoutms" in given:
        # Zero stands for no limit.
        return float(given["timeoutms"]) / 1000 or None
    return None if STEP_LIMITS & given.keys() else TIME_LIMIT


def _uri(url: BackendURL, hosts: tuple[str, ...]) -> str:
    """Write the driver's connection string: with its own options only, and with our defaults."""
    options = {name: text for name, text in url.query if name in _PASSED_ON}
    user = Secret("")
    if url.username is not None:
        password = Secret("" if url.password is None else ":" + quote(url.password, safe=""))
        user = Secret(f"{quote(url.username, safe='')}{revealed(password)}@")
    path = quote(url.path, safe="/") or "/"
    query = Secret("&".join(f"{name}={quote(revealed(text))}" for name, text in _with_defaults(options).items()))
    return Secret(f"{url.scheme}://{revealed(user)}{','.join(hosts)}{path}?{revealed(query)}")


def _with_defaults(options: Mapping[str, str]) -> dict[str, str]:
    given = {name.lower() for name in options}
    complete = dict(options)
    if "w" not in given:
        complete["w"] = "majority"
        if "journal" not in given:
            complete["journal"] = "true"
    elif not options["w"].strip():
        raise ConfigurationError("w= names no write concern; leave it out for majority")
    elif _is_zero(options["w"]):
        raise ConfigurationError("w=0 asks for no answer, so no message would ever be known to be written; use w=1")
    return complete | {name: text for name, text in DRIVER_DEFAULTS.items() if name.lower() not in given}


def _is_zero(text: str) -> bool:
    # As the driver reads a number: 00 and -0 are others.
    try:
        return int(text) == 0
    except ValueError:
        return False


def _host(host: str, port: int | None) -> str:
    text = f"[{host}]" if ":" in host else quote(host, safe="")
    return text if port is None else f"{text}:{port}"

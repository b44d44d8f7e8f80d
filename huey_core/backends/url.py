"""Backend URLs: text in, parts out, with no knowledge of plugins and no input or output.

::

    url      = scheme ":" [ "//" [ user [ ":" password ] "@" ] [ host *( "," host ) ] [ path ] ] [ "?" options ]
    scheme   = letter *( letter / digit / "+" / "-" / "." )
    host     = ( name / "[" IPv6 address "]" ) [ ":" port ]
    path     = "/" anything but "?" and "#"
    options  = name "=" value *( "&" name "=" value )

User, password, host, path and options are percent-decoded once, as UTF-8; ``+`` stands for itself. A ``#`` is refused
rather than cut off as a fragment, and so is an ``@`` behind a host: both are signs of a password that should have
been percent-encoded, and reading on would show a part of it as something else.

For the same reason no error repeats a part of the URL that might hold a password, and every way to print a
:class:`BackendURL` masks it. ``url.render(hide_password=False)`` is the only way out.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from huey_core.backends.options import COMMON_OPTIONS
from huey_core.exceptions import ConfigurationError
from huey_core.secret import MASK, Secret, is_secret_name, revealed
from huey_core.text import did_you_mean
from huey_core.unicode import check_unicode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from huey_core.backends.options import Option

__all__ = ["BackendURL"]

_SAFE: Final = "/:,+=|!$()*;~"
_EXAMPLE: Final = "redis://localhost:6379/0?queue=mail"

_START: Final = re.compile(r"([^:/?#@]*):(?://|(?=\?)|$)")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x20\x7f]")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, repr=False)
class BackendURL:
    """The parts of a backend URL. Make one with :meth:`parse`.

    Two URLs are equal when their parts are, whether or not their options were read.

    Attributes:
        scheme: Lower case.
        username: ``None`` when the URL has none.
        password: ``None`` when the URL has none. A :class:`~huey_core.secret.Secret`, which shows itself
            masked; so are the values of options whose name looks like that of a secret.
        hosts: Pairs of host and port, in the order of the URL; the port is ``None`` where the URL gives none. An IPv6
            address is without its brackets.
        path: With its leading slash; empty when the URL has none.
        query: The options as written, in the order of the URL.
        options: The options as values, after :meth:`with_options`.
    """

    scheme: str
    username: str | None = None
    password: str | None = None
    hosts: tuple[tuple[str, int | None], ...] = ()
    path: str = ""
    query: tuple[tuple[str, str], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def database(self) -> str:
        """The path without its leading slash."""
        return self.path.removeprefix("/")

    @classmethod
    def parse(cls, text: str) -> BackendURL:
        """Take a URL apart.

        Raises:
            ConfigurationError: It is not a backend URL; the message names the part at fault.
        """
        # An error's traceback shows the variables of its frames, so it must lead through none that has the text.
        text = Secret(text)
        try:
            return cls(**_take_apart(revealed(text)))
        except ConfigurationError as error:
            refused = ConfigurationError(str(error))
        raise refused

    def with_options(self, options: Iterable[Option]) -> BackendURL:
        """Return this URL with its :attr:`options` as values: given by the query, else the default.

        Names that may be written in any case are those of the declaration afterwards, in :attr:`query` too.

        Args:
            options: What the backend declares beside :data:`~huey_core.backends.options.COMMON_OPTIONS`. One that has
                the name of a common option takes its place.

        Raises:
            ConfigurationError: The query has an option that is not declared, one that is there twice, or a value that
                cannot be read.
        """
        declared = {option.name: option for option in (*COMMON_OPTIONS, *options)}
        values = {option.name: option.default for option in declared.values()}
        any_case = {option.name.lower(): option.name for option in declared.values() if option.any_case}
        query: dict[str, str] = {}
        for written, text in self.query:
            name = written if written in declared else any_case.get(written.lower(), written)
            if name not in declared:
                hint = did_you_mean(name, declared, f"its options are {', '.join(sorted(declared))}")
                raise ConfigurationError(f"{self.scheme}:// has no option {name!r}{hint}")
            if name in query:
                raise ConfigurationError(f"option {name!r} is given twice in the {self.scheme}:// URL")
            query[name] = text
            values[name] = self._read(declared[name], text)
        return replace(self, query=tuple(query.items()), options=values)

    def _read(self, option: Option, text: str) -> Any:
        try:
            return option.parse(text)
        except ValueError as error:
            # A foreign reader may repeat the text in its message, so that of a secret is not shown.
            is_secret = is_secret_name(option.name)
            what = f"is not usable: {option.help}" if is_secret else f"cannot be {text!r}: {error}"
        raise ConfigurationError(f"option {option.name!r} of {self.scheme}:// {what}")

    def render(self, hide_password: bool = True) -> str:
        """Write the URL as text that :meth:`parse` reads back.

        Args:
            hide_password: Whether to write ``***`` for the password and for the values of query options whose name
                looks like that of a secret.
        """
        userinfo = "" if self.username is None else quote(self.username, safe="")
        if self.password is not None:
            userinfo += ":" + (MASK if hide_password else quote(revealed(self.password), safe=""))
        at = "" if self.username is None and self.password is None else "@"
        hosts = ",".join(_render_host(host, port) for host, port in self.hosts)
        query = "&".join(
            f"{quote(name, safe='')}={MASK if hide_password and is_secret_name(name) else _quoted(value)}"
            for name, value in self.query
        )
        return f"{self.scheme}://{userinfo}{at}{hosts}{quote(self.path, safe=_SAFE)}{'?' if query else ''}{query}"

    def hide_password(self, text: str) -> str:
        """Take the password out of a text that a driver wrote, which may quote the URL that it was given."""
        for secret in {self.password, quote(self.password or "", safe="")}:
            if secret:
                text = text.replace(secret, MASK)
        return text

    def __str__(self) -> str:
        return self.render()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.render()!r})"


def _take_apart(text: str) -> dict[str, Any]:
    start = _START.match(text)
    if start is None:
        raise ConfigurationError(f"a backend URL begins with a scheme and '://', for example {_EXAMPLE}")
    scheme = _parse_scheme(start[1])
    rest = text[start.end() :]
    check_unicode(f"the {scheme}:// URL", text)
    if "#" in rest:
        raise ConfigurationError(f"the {scheme}:// URL contains a '#'; write %23 for the character itself")
    if _UNPRINTABLE.search(rest):
        raise ConfigurationError(f"the {scheme}:// URL contains a blank or a control character; write %20 for a blank")

    before_query, _, query = rest.partition("?")
    authority, slash, path = before_query.partition("/")
    if authority and "@" in path + query:
        raise ConfigurationError(
            f"the {scheme}:// URL has an '@' after the end of its host; in a user name or a password write %2F "
            "for '/' and %3F for '?', and in a path or an option write %40 for '@'"
        )
    userinfo, _, hosts = authority.rpartition("@")
    username, colon, password = userinfo.partition(":")
    return {
        "scheme": scheme,
        "username": _decode(username, "user name", scheme) if username else None,
        "password": Secret(_decode(password, "password", scheme)) if colon else None,
        "hosts": _parse_hosts(hosts, scheme),
        "path": _decode(slash + path, "path", scheme),
        "query": _parse_query(query, scheme),
    }


def _parse_scheme(text: str) -> str:
    if "_" in text:
        raise ConfigurationError("the scheme of a URL cannot contain '_'; write '+' or '-', as in redis+unix://")
    if not _SCHEME.fullmatch(text):
        raise ConfigurationError(
            f"the scheme of a URL is a letter followed by letters, digits, '+', '-' or '.', as in {_EXAMPLE}"
        )
    return text.lower()


def _parse_hosts(text: str, scheme: str) -> tuple[tuple[str, int | None], ...]:
    if not text:
        return ()
    return tuple(_parse_host(item, number, scheme) for number, item in enumerate(text.split(","), 1))


def _parse_host(text: str, number: int, scheme: str) -> tuple[str, int | None]:
    where = f"host {number} of the {scheme}:// URL"
    if text.startswith("["):
        address, bracket, port = text[1:].partition("]")
        host = _decode(address, "host", scheme)
        if not bracket or (port and not port.startswith(":")) or not _is_ipv6(host):
            raise ConfigurationError(f"{where} is not an IPv6 address in brackets, such as [::1]:6379")
        colon, port = port[:1], port[1:]
    else:
        if text.count(":") > 1:
            raise ConfigurationError(f"{where} has more than one ':'; an IPv6 address is written in brackets: [::1]")
        name, colon, port = text.partition(":")
        host = _decode(name, "host", scheme)
    if not host:
        raise ConfigurationError(f"{where} is empty")
    if not colon:
        return host, None
    if not re.fullmatch("[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        raise ConfigurationError(
            f"the port of {where} is not a number from 1 to 65535 (a user name and a password end with '@')"
        )
    return host, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _parse_query(text: str, scheme: str) -> tuple[tuple[str, str], ...]:
    if not text:
        return ()
    query: dict[str, str] = {}
    for number, item in enumerate(text.split("&"), 1):
        raw_name, equals, value = item.partition("=")
        name = _decode(raw_name, "query", scheme)
        if not name or not equals:
            raise ConfigurationError(f"option {number} of the {scheme}:// URL is not written name=value")
        if name in query:
            raise ConfigurationError(f"option {name!r} is given twice in the {scheme}:// URL")
        given = _decode(value, f"value of option {name!r}", scheme)
        query[name] = Secret(given) if is_secret_name(name) else given
    return tuple(query.items())


def _decode(text: str, part: str, scheme: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise ConfigurationError(
            f"the {part} in the {scheme}:// URL has a '%' without two hexadecimal digits after it; "
            "write %25 for the character itself"
        )
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ConfigurationError(f"the {part} in the {scheme}:// URL is not UTF-8 when percent-decoded") from None


def _quoted(value: str) -> str:
    return quote(revealed(value), safe=_SAFE)


def _render_host(host: str, port: int | None) -> str:
    text = f"[{quote(host, safe=':')}]" if ":" in host and _is_ipv6(host) else quote(host, safe="")
    return text if port is None else f"{text}:{port}"

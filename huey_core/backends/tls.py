"""Files for TLS, looked at where a URL names them. A driver would at the first connection, or ask a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["NamedFile", "check_tls_files"]

NamedFile = tuple[str, str]
"""The name of an option, and the path that it gives."""

_MISMATCH: Final = "KEY_VALUES_MISMATCH"


def check_tls_files(
    scheme: str,
    *,
    trusted: Sequence[NamedFile] = (),
    certificate: NamedFile | None = None,
    key: NamedFile | None = None,
    password: str | None = None,
) -> None:
    """Look whether files can be used for TLS.

    Args:
        scheme: Of the URL, for messages.
        trusted: Files with certificates of authorities, or with lists of revoked ones, in PEM.
        certificate: The file with the client's own certificate, in PEM.
        key: The file with its private key, in PEM; ``None`` when it is in the same file.
        password: Of the key.

    Raises:
        ConfigurationError: A file cannot be read, or does not hold what it should; the message names the option.
    """
    import ssl

    for named in (*trusted, certificate, key):
        if named is not None:
            _read(scheme, named)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for named in trusted:
        try:
            context.load_verify_locations(named[1])
        except (OSError, ValueError):
            raise _unusable(scheme, named, "is not in PEM form, or holds no certificate") from None
    if certificate is None:
        return
    is_encrypted = False

    def give_password() -> str:
        # Without this, OpenSSL would ask at the terminal.
        nonlocal is_encrypted
        is_encrypted = True
        return password or ""

    try:
        context.load_cert_chain(certificate[1], None if key is None else key[1], give_password)
    except (OSError, ValueError) as error:
        if getattr(error, "reason", None) == _MISMATCH:
            what = "holds a key that does not belong to the certificate"
        elif is_encrypted:
            what = "holds a key that is encrypted, and the password for it is missing or wrong"
        else:
            what = "is not in PEM form, or lacks the certificate or its private key"
        raise _unusable(scheme, key or certificate, what) from None


def _read(scheme: str, named: NamedFile) -> None:
    try:
        with open(named[1], "rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise _unusable(scheme, named, f"cannot be read: {reason}") from None


def _unusable(scheme: str, named: NamedFile, what: str) -> ConfigurationError:
    name, path = named
    return ConfigurationError(f"option {name!r} of {scheme}:// names a file that {what} ({path})")

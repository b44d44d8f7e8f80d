"""Files for TLS, and what is said of those that cannot be used."""

from __future__ import annotations

import pytest

from certificates import make_certificate
from huey_core.backends.tls import check_tls_files
from huey_core.exceptions import ConfigurationError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two certificates with their keys, one of them encrypted, and what is none."""
    folder = tmp_path_factory.mktemp("tls")
    for name, password in (("own", None), ("locked", "s3cret")):
        certificate, key = make_certificate(folder, name, password=password)
        (folder / f"{name}.both").write_bytes(certificate.read_bytes() + key.read_bytes())
    (folder / "garbage").write_bytes(b"\x80 no PEM \xff")
    (folder / "empty").write_bytes(b"")
    (folder / "directory").mkdir()
    return folder


@pytest.mark.parametrize(
    "files",
    [
        {"trusted": ["own.pem"]},
        {"certificate": "own.pem", "key": "own.key"},
        {"certificate": "own.both"},
        {"certificate": "locked.both", "password": "s3cret"},
    ],
)
def test_files_that_fit_are_taken(folder, files):
    check_tls_files("s", **named(folder, **files))


@pytest.mark.parametrize(
    ("files", "option", "what"),
    [
        ({"trusted": ["missing"]}, "trusted", "cannot be read"),
        ({"trusted": ["directory"]}, "trusted", "cannot be read"),
        ({"trusted": ["garbage"]}, "trusted", "not in PEM form"),
        ({"trusted": ["empty"]}, "trusted", "not in PEM form"),
        ({"certificate": "missing"}, "certificate", "cannot be read"),
        ({"certificate": "own.pem", "key": "missing"}, "key", "cannot be read"),
        ({"certificate": "own.pem", "key": "garbage"}, "key", "not in PEM form"),
        ({"certificate": "own.pem"}, "certificate", "lacks the certificate or its private key"),
        ({"certificate": "own.pem", "key": "locked.key", "password": "s3cret"}, "key", "does not belong"),
        ({"certificate": "locked.both"}, "certificate", "password for it is missing or wrong"),
        ({"certificate": "locked.both", "password": "another"}, "certificate", "password for it is missing or wrong"),
    ],
)
def test_files_that_cannot_be_used_are_refused_by_option_and_reason(folder, files, option, what):
    with pytest.raises(ConfigurationError, match=f"option '{option}' of s:// names a file that .*{what}") as refused:
        check_tls_files("s", **named(folder, **files))

    assert "s3cret" not in str(refused.value)


def named(folder, *, trusted=(), certificate=None, key=None, password=None):
    return {
        "trusted": [("trusted", str(folder / each)) for each in trusted],
        "certificate": certificate and ("certificate", str(folder / certificate)),
        "key": key and ("key", str(folder / key)),
        "password": password,
    }

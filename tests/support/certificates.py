"""Certificates for tests of TLS, made when they are needed."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["make_certificate"]


def make_certificate(folder: Path, name: str, *, password: str | None = None) -> tuple[Path, Path]:
    """Make a certificate for the name localhost, that only its own file vouches for, and its key."""
    request = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2 -subj /CN=localhost"
    lock = ["-nodes"] if password is None else ["-passout", f"pass:{password}"]
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", f"{name}.key", "-out", f"{name}.pem"]
    subprocess.run([*request.split(), *lock, *files], cwd=folder, check=True, capture_output=True)
    return folder / f"{name}.pem", folder / f"{name}.key"

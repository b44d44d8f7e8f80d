"""Text of a driver, made fit to be shown: it may quote the URL that it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from huey_core.backends.url import BackendURL

__all__ = ["hide_password"]


def hide_password(text: str, url: BackendURL) -> str:
    """Take a URL's password out of a text that a driver wrote."""
    for secret in {url.password, quote(url.password or "", safe="")}:
        if secret:
            text = text.replace(secret, "***")
    return text

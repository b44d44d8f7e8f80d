"""Text of others, made fit to be shown: what comes out of a queue, a plugin or a driver is not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from huey_core.text import printable

if TYPE_CHECKING:
    from huey_core.backends.url import BackendURL

__all__ = ["hide_password", "printable"]


def hide_password(text: str, url: BackendURL) -> str:
    """Take a URL's password out of a text that a driver wrote."""
    for secret in {url.password, quote(url.password or "", safe="")}:
        if secret:
            text = text.replace(secret, "***")
    return text

"""What is said when the server does not let a client in."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pymongo.errors import OperationFailure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huey_mongo.settings import Settings

__all__ = ["LoginRefused", "naming_the_login"]

UNAUTHORIZED: Final = 13
REFUSED: Final = frozenset({11, 18, 334})
"""UserNotFound, AuthenticationFailed and MechanismUnavailable."""


class LoginRefused(OperationFailure):
    """The server asks for a login, or refuses the one that was given."""


@contextmanager
def naming_the_login(settings: Settings) -> Iterator[None]:
    """Let a refused login that is met in this block say which one it was; other errors come as they are.

    Raises:
        LoginRefused: The server asks for a login, or refuses the one of the URL.
    """
    try:
        yield
    except OperationFailure as error:
        refusal = _refusal(settings, error.code)
        if refusal is None:
            raise
        said = (error.details or {}).get("errmsg", error)
        raise LoginRefused(f"{refusal}. The server says: {said}", error.code, error.details) from error


def _refusal(settings: Settings, code: int | None) -> str | None:
    where = ",".join(settings.hosts)
    if code in REFUSED:
        return (
            f"the server at {where} refuses the login of {settings.login}; look at the user name, the password and "
            "the option authSource"
        )
    if code == UNAUTHORIZED and settings.login is None:
        return f"the server at {where} asks for a login and the URL has none (mongodb://USER:PASSWORD@HOST)"
    return None

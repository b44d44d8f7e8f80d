"""What a new connection does first, and what is said when the server does not let it in.

The driver introduces itself before it knows whether it was let in, and takes no refusal of that for one; a later
refusal is then put in words that name anything but the login. So whoever has no password to give begins with a ping,
and the first refusal is put in our words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import AuthenticationError, InvalidResponse, ResponseError
from redis.exceptions import ConnectionError as BrokenConnection

if TYPE_CHECKING:
    from huey_redis.settings import Settings

__all__ = ["log_in"]


def log_in(settings: Settings, connection: Any) -> None:
    """Log in over a connection of the driver that was just made.

    Raises:
        redis.AuthenticationError: The server asks for a login, or refuses the one that was given, or is in protected
            mode.
        redis.ConnectionError: The server closed the connection, or is no Redis server.
        redis.RedisError: It refused something else, such as the database.
    """
    where = settings.path or f"{settings.host}:{settings.port}"
    try:
        if not settings.username and not settings.password:
            _ping(connection)
        connection.on_connect()
    except AuthenticationError as error:
        raise AuthenticationError(f"{_refusal(settings, where)} The server says: {error}") from error
    except ResponseError as error:
        if not _is_protected(error):
            raise
        raise AuthenticationError(
            f"the server at {where} has no password and is in protected mode, so it refuses the login of every other "
            "machine; give it one (requirepass), or turn protected-mode off where everybody may use it"
        ) from error
    except InvalidResponse as error:
        raise BrokenConnection(f"what answers at {where} is not a Redis server: {error}") from error
    except BrokenConnection as error:
        scheme = "redis://, if it talks no TLS" if settings.tls else "rediss://, if it talks TLS"
        advice = "" if settings.path else f" (the scheme of the URL is {scheme})"
        raise BrokenConnection(f"the server at {where} ended a new connection{advice}: {error}") from error


def _ping(connection: Any) -> None:
    # The driver offers no public way to begin with something of one's own.
    connection._parser.on_connect(connection)
    connection.send_command("PING", check_health=False)
    try:
        connection.read_response()
    except ResponseError as error:
        # Whatever else it is, such as a replica or a user without rights, is told by the command that it concerns.
        if _is_protected(error):
            raise


def _refusal(settings: Settings, where: str) -> str:
    if not settings.username and not settings.password:
        return f"the server at {where} asks for a login and the URL has no password (redis://USER:PASSWORD@HOST)."
    user = settings.username or "default"
    return f"the server at {where} refuses the login of user {user!r}: look at the user name and the password."


def _is_protected(error: ResponseError) -> bool:
    return str(error).startswith("DENIED ")

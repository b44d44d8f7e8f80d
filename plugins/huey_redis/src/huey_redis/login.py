"""What a new connection does first, and what is said when the server does not let it in.

The driver introduces itself before it knows whether it was let in, and takes no refusal of that for one; a later
refusal is then put in words that name anything but the login. So whoever has no password to give begins with a ping,
and the first refusal is put in our words.
"""

from __future__ import annotations

from typing import Any

from redis.exceptions import AuthenticationError, InvalidResponse, ResponseError
from redis.exceptions import ConnectionError as BrokenConnection

__all__ = ["log_in"]


def log_in(
    connection: Any, *, where: str, is_socket: bool, tls: bool, username: str | None, has_password: bool
) -> None:
    """Log in over a connection of the driver that was just made.

    Args:
        connection: The connection.
        where: The server's address, as errors name it.
        is_socket: Whether that is the path of a Unix socket.
        tls: Whether the connection talks TLS.
        username: The ACL user to log in as; ``None`` is the server's default user.
        has_password: Whether there is a password to give.

    Raises:
        redis.AuthenticationError: The server asks for a login, or refuses the one that was given, or is in protected
            mode.
        redis.ConnectionError: The server closed the connection, or is no Redis server.
        redis.RedisError: It refused something else, such as the database.
    """
    is_anonymous = not username and not has_password
    try:
        if is_anonymous:
            _ping(connection)
        connection.on_connect()
    except AuthenticationError as error:
        raise AuthenticationError(f"{_refusal(where, username, is_anonymous)} The server says: {error}") from error
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
        scheme = "redis://, if it talks no TLS" if tls else "rediss://, if it talks TLS"
        advice = "" if is_socket else f" (the scheme of the URL is {scheme})"
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


def _refusal(where: str, username: str | None, is_anonymous: bool) -> str:
    if is_anonymous:
        return f"the server at {where} asks for a login and the URL has no password (redis://USER:PASSWORD@HOST)."
    user = username or "default"
    return f"the server at {where} refuses the login of user {user!r}: look at the user name and the password."


def _is_protected(error: ResponseError) -> bool:
    return str(error).startswith("DENIED ")

"""A login that is refused is said to be one, in our words, whatever the server's first bytes were."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import closing, suppress

import pytest
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from huey_core.backends.url import BackendURL
from huey_redis import RedisBackend

PASSWORD = "correct-horse-battery"


@pytest.fixture
def backend():
    """Make backends, which are closed at the end."""
    made = []

    def make(url):
        made.append(RedisBackend(BackendURL.parse(url).with_options(RedisBackend.options)))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def guarded(new_server):
    """A server that wants a password."""
    return new_server(config={"requirepass": PASSWORD})


@pytest.mark.parametrize("transport", ["tcp", "tls", "unix"])
def test_a_missing_password_is_said_over_every_transport(guarded, backend, make_tunnel, certificate, transport):
    url = f"redis+unix://{guarded.socket_path}" if transport == "unix" else f"redis://127.0.0.1:{guarded.port}"
    if transport == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        url = f"rediss://127.0.0.1:{make_tunnel(guarded.port, context).port}?tls_verify=no"

    with pytest.raises(AuthenticationError, match=r"asks for a login and the URL has no password"):
        backend(url).queue("q").write(b"x", unique_key="a write of many arguments")


@pytest.mark.parametrize(("login", "user"), [(":wrong-horse", "default"), ("bob:wrong-horse", "bob"), ("bob", "bob")])
def test_a_login_that_is_refused_names_the_user_and_not_the_password(guarded, backend, login, user):
    with pytest.raises(AuthenticationError) as caught:
        backend(f"redis://{login}@127.0.0.1:{guarded.port}").ping()

    assert f"127.0.0.1:{guarded.port} refuses the login of user '{user}'" in str(caught.value)
    assert "wrong-horse" not in str(caught.value)


def test_a_password_for_a_server_that_has_none_is_a_refused_login(server, backend):
    with pytest.raises(AuthenticationError, match="refuses the login of user 'default'"):
        backend(f"redis://:{PASSWORD}@127.0.0.1:{server.port}").ping()


def test_a_user_without_rights_is_let_in_and_refused_by_the_command(new_server, backend):
    server = new_server(config={"user": f"ann on >{PASSWORD} ~* &*"})

    with pytest.raises(NoPermissionError):
        backend(f"redis://ann:{PASSWORD}@127.0.0.1:{server.port}").queue("q").write(b"x")


def test_a_default_user_that_may_not_ping_is_let_in(new_server, backend):
    server = new_server()
    backend(server.url())._connections.call("ACL", "SETUSER", "default", "-ping")

    assert backend(server.url()).queue("q").write(b"x").created


@pytest.fixture
def listener():
    """Make a port that says the same to every client, and then ends the connection; return the port."""
    listeners = []

    def serve(listening, reply):
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                with client:
                    client.recv(65536)
                    client.sendall(reply)

    def listen(reply):
        listening = socket.create_server(("127.0.0.1", 0))
        listeners.append(listening)
        threading.Thread(target=serve, args=(listening, reply), daemon=True).start()
        return listening.getsockname()[1]

    yield listen
    for each in listeners:
        with closing(each), suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("login", ["", ":secret@"])
@pytest.mark.parametrize(
    ("first_bytes", "sentence"),
    [
        (b"-DENIED Redis is running in protected mode because ...\r\n", "is in protected mode"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not a Redis server"),
        (b"", "ended a new connection (the scheme of the URL is rediss://"),
    ],
)
def test_what_is_no_server_for_this_client_is_said_to_be_none(listener, backend, login, first_bytes, sentence):
    port = listener(first_bytes)

    with pytest.raises(RedisError) as caught:
        backend(f"redis://{login}127.0.0.1:{port}").ping()

    assert f"127.0.0.1:{port}" in str(caught.value)
    assert sentence in str(caught.value)


def test_an_error_of_a_new_connection_comes_without_the_pool_s_own(backend):
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]

    with pytest.raises(RedisError) as caught:
        backend(f"redis://127.0.0.1:{port}").ping()

    error = caught.value
    while error is not None:
        assert not isinstance(error, IndexError)
        error = error.__cause__ or error.__context__

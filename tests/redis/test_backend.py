"""URLs of the schemes redis, rediss and redis+unix, and what a backend says of its server."""

from __future__ import annotations

import ssl
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as BrokenConnection
from redis.exceptions import RedisError

from huey_core.backends.outcomes import Bury
from huey_core.backends.url import BackendURL
from huey_core.exceptions import ConfigurationError
from huey_redis import RedisBackend, RedisQueue
from huey_redis.keys import QUEUE_PARTS, queue_keys, queue_of_sign, store_prefix


def backend(url):
    return RedisBackend(BackendURL.parse(url).with_options(RedisBackend.options))


def write_and_read(backend):
    queue = backend.queue("through a URL")
    queue.flush()
    queue.write(b"x")
    return queue.read()


class TestParts:
    @pytest.mark.parametrize(
        ("url", "where"),
        [
            ("redis://", ("localhost:6379", 0)),
            ("redis://example.org", ("example.org:6379", 0)),
            ("redis://example.org:7000/", ("example.org:7000", 0)),
            ("redis://example.org/15", ("example.org:6379", 15)),
            ("redis://[::1]:6380/1", ("::1:6380", 1)),
            ("rediss://example.org/2", ("example.org:6379", 2)),
            ("redis+unix:///run/redis.sock", ("/run/redis.sock", 0)),
            ("redis+unix:///run/my%20redis.sock?db=3", ("/run/my redis.sock", 3)),
        ],
    )
    def test_a_url_names_one_database_of_one_server(self, url, where):
        assert backend(url).settings.database == where

    @pytest.mark.parametrize(
        ("url", "part"),
        [
            ("redis://localhost/mail", "'mail'"),
            ("redis://localhost/0/1", "'0/1'"),
            ("redis://localhost/-1", "'-1'"),
            ("redis://one,two/0", "one host"),
            ("redis://localhost?db=1", "'db'"),
            ("redis://localhost?tls_ca=ca.pem", "rediss"),
            ("redis+unix://localhost/run/redis.sock", "socket"),
            ("redis+unix://", "socket"),
            ("redis+unix:///run/redis.sock?db=one", "'db'"),
            ("redis://localhost?socket_timeout=0", "'socket_timeout'"),
            ("redis://localhost?max_message_size=0", "'max_message_size'.*at least 1 byte"),
        ],
    )
    def test_a_part_that_cannot_be_used_is_named(self, url, part):
        with pytest.raises(ConfigurationError, match=part):
            backend(url)

    @pytest.mark.parametrize("size", [0, -1])
    def test_a_queue_that_would_take_no_message_at_all_is_refused(self, size):
        with pytest.raises(ConfigurationError, match=f"max_message_size must be at least 1 byte, not {size}"):
            RedisQueue("q", max_message_size=size)

    def test_options_reach_the_queue(self):
        queue = backend("redis://localhost?max_deliveries=3&max_message_size=1MiB").queue("q")
        assert (queue.max_deliveries, queue.max_message_size) == (3, 2**20)

    @pytest.mark.parametrize("show", [repr, str])
    def test_the_password_is_never_shown(self, show):
        shown = backend("redis://ann:secret-word@localhost")
        parts = [shown, shown.settings, shown.queue("q"), shown.data_store("s"), shown.url]
        assert [part for part in parts if "secret-word" in show(part)] == []

    def test_a_refused_login_does_not_show_the_password(self, server):
        with pytest.raises(RedisError) as caught:
            backend(f"redis://ann:secret-word@127.0.0.1:{server.port}").ping()
        assert "secret-word" not in str(caught.value)


class TestTransports:
    def test_a_unix_socket(self, server):
        assert write_and_read(backend(f"redis+unix://{server.socket_path}?db=1")) == b"x"

    def test_a_database_of_its_own(self, server):
        zero, one = backend(server.url(0)), backend(server.url(1))
        one.queue("databases").write(b"x")
        assert zero.queue("databases").read() is None
        assert one.queue("databases").read() == b"x"

    def test_a_user_and_a_password(self, new_server):
        server = new_server(config={"user": "ann on >top/secret ~* &* +@all", "requirepass": "unused"})
        assert write_and_read(backend(f"redis://ann:top%2Fsecret@127.0.0.1:{server.port}")) == b"x"

    def test_a_client_name_is_seen_by_the_server(self, server):
        named = backend(server.url(client_name="web-1"))
        named.ping()
        assert b"name=web-1" in named._connections.call("CLIENT", "LIST")


@contextmanager
def refused_for_its_certificate():
    with pytest.raises(BrokenConnection) as caught:
        yield
    assert isinstance(caught.value.__context__, ssl.SSLCertVerificationError)


class TestTLS:
    @pytest.fixture
    def tls_port(self, server, make_tunnel, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        return make_tunnel(server.port, context).port

    @pytest.mark.parametrize(
        ("options", "what"),
        [
            ("tls_ca=/nosuch.pem", "'tls_ca' of rediss:// names a file that cannot be read"),
            ("tls_cert={0}", "'tls_cert' of rediss:// names a file that .* lacks"),
            ("tls_cert={0}&tls_key={0}", "'tls_key' of rediss:// names a file that .* lacks"),
            ("tls_key={1}", "tls_key and no tls_cert"),
        ],
    )
    def test_a_file_that_cannot_be_used_is_a_mistake_of_the_configuration(self, certificate, options, what):
        with pytest.raises(ConfigurationError, match=what):
            backend(f"rediss://localhost?{options.format(*certificate)}")

    def test_a_trusted_server(self, tls_port, certificate):
        trusting = backend(f"rediss://localhost:{tls_port}?tls_ca={certificate[0]}")
        assert write_and_read(trusting) == b"x"
        assert trusting.queue("through a URL").claim(1, 60.0, wait=0.05).deliveries == []

    def test_a_server_that_nobody_vouches_for_is_refused(self, tls_port):
        with refused_for_its_certificate():
            backend(f"rediss://localhost:{tls_port}").ping()

    def test_a_server_of_another_name_is_refused_unless_the_name_does_not_matter(self, tls_port, certificate):
        with refused_for_its_certificate():
            backend(f"rediss://127.0.0.1:{tls_port}?tls_ca={certificate[0]}").ping()
        backend(f"rediss://127.0.0.1:{tls_port}?tls_ca={certificate[0]}&tls_check_hostname=no").ping()

    def test_verification_can_be_turned_off_and_that_gives_a_warning(self, tls_port):
        careless = backend(f"rediss://127.0.0.1:{tls_port}?tls_verify=no")
        assert "not verified" in careless.warnings()[0]


class TestReports:
    def test_the_server_is_described(self, new_server):
        described = backend(new_server(appendonly=True).url()).describe()
        assert described["product"] in {"redis", "valkey"}
        assert described["version"][0].isdigit()
        assert described["maxmemory-policy"] == "noeviction"
        assert described["persistence"] == "append-only file, appendfsync always"

    def test_a_sound_server_gives_no_warning(self, new_server):
        assert backend(new_server(appendonly=True).url()).warnings() == []
        assert backend(new_server(config={"save": "3600 1"}).url()).warnings() == []

    def test_eviction_and_no_persistence_give_a_sentence_each(self, new_server):
        eviction, persistence = backend(new_server(config={"maxmemory-policy": "allkeys-lru"}).url()).warnings()
        assert "allkeys-lru" in eviction
        assert "nothing on disk" in persistence

    @pytest.mark.parametrize(
        ("rules", "forbidden"),
        [
            (["resetchannels"], "publish or subscribe"),
            (["resetchannels", "&huey:{other}:*"], "publish or subscribe"),
            (["-publish"], "publish"),
            (["-subscribe", "-info"], "subscribe"),
        ],
    )
    def test_a_user_without_a_right_to_tell_of_results_gets_a_sentence_with_the_rule(
        self, new_server, rules, forbidden
    ):
        server = new_server(appendonly=True)
        admin = backend(server.url())
        admin._connections.call("ACL", "SETUSER", "worker", "on", ">secret", "+@all", "~huey:*", "allchannels", *rules)

        (warning,) = backend(f"redis://worker:secret@127.0.0.1:{server.port}").warnings()

        assert f"'worker' may not {forbidden} " in warning
        assert "&huey:*" in warning
        assert "secret" not in warning

    def test_the_rights_for_the_results_of_this_queue_are_enough(self, new_server):
        server = new_server(appendonly=True)
        admin = backend(server.url())
        admin._connections.call(
            "ACL", "SETUSER", "worker", "on", ">secret", "+@all", "~huey:*", "resetchannels", "&huey:{mail}:*"
        )
        assert backend(f"redis://worker:secret@127.0.0.1:{server.port}?queue=mail").warnings() == []

    @pytest.mark.parametrize(
        ("hidden", "known"), [("-config", {"product", "version", "maxmemory-policy"}), ("-info", set())]
    )
    def test_a_server_that_hides_something_is_described_without_it(self, new_server, hidden, known):
        url = new_server().url()
        backend(url)._connections.call("ACL", "SETUSER", "default", hidden)
        restricted = backend(url)
        assert set(restricted.describe()) == known
        assert restricted.warnings() == []


class TestSetUp:
    def test_the_server_is_named(self, server):
        (line,) = backend(server.url()).set_up()
        assert line.startswith(("redis ", "valkey "))

    def test_a_user_who_may_not_ask_for_the_version_can_set_up_too(self, new_server):
        url = new_server().url()
        backend(url)._connections.call("ACL", "SETUSER", "default", "-info")
        assert backend(url).set_up() == ["the server answers, and needs nothing to be made"]

    def test_a_server_that_does_not_answer_is_an_error(self):
        with pytest.raises(RedisError):
            backend("redis://127.0.0.1:1").set_up()


class TestNamesOfQueues:
    def test_queues_with_messages_or_paused_are_found_among_many_other_keys(self, new_server):
        found = backend(new_server().url())
        store = found.data_store("of results}:msg")
        for key in ("msg", "paused", "}:msg", "{x}:msg"):
            store.put(key, b"x")
        for start in range(0, 5000, 1000):
            found._connections.call("MSET", *(text for n in range(start, start + 1000) for text in (f"key{n}", "x")))
        found._connections.call("SET", b"huey:{\xff}:msg", "of somebody else")
        ready, dead, paused, drained = (found.queue(name) for name in ("{ready}:%7B", "dead", "", "drained"))
        for queue in (ready, dead, drained):
            queue.write(b"x")
        drained.read()
        dead.settle([Bury(dead.claim(1, 60.0).deliveries[0], "bad")])
        paused.pause()
        assert found.queue_names() == ["", "dead", "{ready}:%7B"]

    def test_those_of_another_database_are_not(self, new_server):
        url = new_server().url
        backend(url(1)).queue("q").write(b"x")
        assert backend(url(0)).queue_names() == []


class TestNames:
    @given(st.text(), st.text())
    def test_two_names_never_share_a_key(self, one, other):
        shared = set(queue_keys(one)) & set(queue_keys(other))
        assert bool(shared) == (one == other)
        assert (store_prefix(one) == store_prefix(other)) == (one == other)

    @given(st.text())
    def test_a_queue_is_known_by_two_of_its_keys(self, name):
        found = {key.rsplit(b":", 1)[1]: queue_of_sign(key) for key in queue_keys(name)}
        assert {part for part, queue in found.items() if queue is not None} == {b"msg", b"paused"}
        assert found[b"msg"] == found[b"paused"] == name

    @given(st.text())
    def test_the_keys_of_a_queue_share_one_hash_tag(self, name):
        keys = [key.decode() for key in queue_keys(name)]
        tags = {key[key.index("{") + 1 : key.index("}")] for key in keys}
        assert len(tags) == 1
        assert [key.rsplit(":", 1)[1] for key in keys] == list(QUEUE_PARTS)

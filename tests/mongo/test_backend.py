"""URLs of the schemes mongodb and mongodb+srv, and what a backend says of its server."""

from __future__ import annotations

import string
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo import common
from pymongo.errors import OperationFailure
from pymongo.uri_parser import parse_uri

from huey_core.backends.url import BackendURL
from huey_core.exceptions import ConfigurationError
from huey_mongo import MongoBackend, MongoDataStore, MongoQueue
from huey_mongo.options import DRIVER_OPTIONS
from huey_mongo.testing import MongoServer


def settings(url):
    return MongoBackend(BackendURL.parse(url).with_options(MongoBackend.options)).settings


class TestParts:
    @pytest.mark.parametrize(
        ("url", "where"),
        [
            ("mongodb://", (("localhost",), "huey", "huey")),
            ("mongodb://example.org", (("example.org",), "huey", "huey")),
            ("mongodb://example.org/", (("example.org",), "huey", "huey")),
            ("mongodb://example.org:27018/mail", (("example.org:27018",), "mail", "huey")),
            ("mongodb://b,A:1/mail?replicaSet=rs0", (("a:1", "b"), "mail", "huey")),
            ("mongodb://[::1]:27018/mail?collection=jobs", (("[::1]:27018",), "mail", "jobs")),
            ("mongodb+srv://cluster.example.org/mail", (("cluster.example.org",), "mail", "huey")),
        ],
    )
    def test_a_url_names_one_collection_of_one_cluster(self, url, where):
        assert settings(url).place == where

    @pytest.mark.parametrize(
        ("url", "part"),
        [
            ("mongodb://localhost/a.b", "'a.b'"),
            ("mongodb://localhost/a/b", "'a/b'"),
            ("mongodb://localhost/?w=0", "w=0"),
            ("mongodb://localhost/?w=00", "w=0"),
            ("mongodb://localhost/?w=-0", "w=0"),
            ("mongodb://localhost/?w=%2B0", "w=0"),
            ("mongodb://localhost/?w=", "w="),
            ("mongodb://localhost/?w=-1", "'w'"),
            ("mongodb://localhost/?max_message_size=0", "'max_message_size'"),
            ("mongodb://localhost/?socketTimeoutMS=soon", "'socketTimeoutMS'"),
            ("mongodb://localhost/?tls=perhaps", "'tls'"),
            ("mongodb://localhost/?poll=0", "'poll'"),
            ("mongodb+srv://one,two/", "one host"),
            ("mongodb+srv://one:27017/", "port"),
        ],
    )
    def test_a_part_that_cannot_be_used_is_named(self, url, part):
        with pytest.raises(ConfigurationError, match=part):
            settings(url)

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [("replicaSett", "replicaSet"), ("authSorce", "authSource"), ("max_mesage_size", "max_message_size")],
    )
    def test_an_unknown_option_gives_the_closest_name_of_ours_or_the_drivers(self, typed, meant):
        with pytest.raises(ConfigurationError, match=f"did you mean '{meant}'"):
            settings(f"mongodb://localhost/?{typed}=x")

    @pytest.mark.parametrize(
        ("written", "name", "value"),
        [
            ("wtimeoutMS=5000", "wTimeoutMS", 5000),
            ("retrywrites=false", "retryWrites", False),
            ("REPLICASET=rs0", "replicaSet", "rs0"),
            ("authsource=admin", "authSource", "admin"),
            ("W=2", "w", 2),
        ],
    )
    def test_an_option_of_the_driver_may_be_written_in_any_case(self, written, name, value):
        read = parse_uri(settings(f"mongodb://localhost/shop?{written}").uri)["options"]
        # How the driver spells a name is its own affair.
        assert {spelt.lower(): value for spelt, value in read.items()}[name.lower()] == value

    @pytest.mark.parametrize("option", ["tlsCAFile", "tlscafile", "tlsCRLFile", "tlsCertificateKeyFile"])
    def test_a_tls_file_that_is_not_there_is_a_mistake_of_the_configuration(self, option, tmp_path):
        with pytest.raises(ConfigurationError, match="names a file that cannot be read"):
            settings(f"mongodb://localhost/shop?tls=true&{option}={tmp_path}/nosuch.pem")

    def test_every_option_of_the_driver_passes_through(self):
        # A URL cannot repeat an option, which readPreferenceTags is made for; the others are no options of URIs.
        not_for_urls = {"readpreferencetags", "connect", "fsync", "driver", "server_api", "datetime_conversion"}
        not_for_urls |= {"tz_aware", "unicode_decode_error_handler", "uuidrepresentation", "waitqueuemultiple"}
        # These came with later versions of the driver than the oldest that will do.
        not_for_urls |= {"srvallowedhostssuffix", "enableoverloadretargeting", "maxadaptiveretries"}
        known = set(common.URI_OPTIONS_VALIDATOR_MAP) - not_for_urls
        assert known - {option.name.lower() for option in DRIVER_OPTIONS} == set()

    def test_a_write_is_acknowledged_by_the_majority_and_the_journal_unless_the_url_says_otherwise(self):
        def concern(url):
            return {name: parse_uri(settings(url).uri)["options"].get(name) for name in ("w", "journal")}

        assert concern("mongodb://localhost") == {"w": "majority", "journal": True}
        assert concern("mongodb://localhost?w=1") == {"w": 1, "journal": None}
        assert concern("mongodb://localhost?journal=false") == {"w": "majority", "journal": False}

    def test_our_options_stay_with_us_and_the_drivers_reach_it(self):
        url = "mongodb://a,b/mail?queue=q&replicaSet=rs0&authSource=admin&max_deliveries=3&socketTimeoutMS=700"
        options = parse_uri(settings(url).uri)["options"]
        assert (options["replicaSet"], options["authSource"], options["socketTimeoutMS"]) == ("rs0", "admin", 0.7)
        assert {"queue", "max_deliveries"} & set(options) == set()

    @given(
        st.text(string.printable.strip(), min_size=1).filter(lambda text: "\x00" not in text),
        st.text(min_size=1).filter(lambda text: text.isprintable()),
    )
    def test_user_and_password_reach_the_driver_as_they_are(self, user, password):
        url = BackendURL(scheme="mongodb", username=user, password=password, hosts=(("h", None),), path="/db")
        parsed = parse_uri(MongoBackend(url).settings.uri)
        assert (parsed["username"], parsed["password"], parsed["database"]) == (user, password, "db")

    def test_options_reach_the_queue(self):
        url = BackendURL.parse("mongodb://localhost?max_deliveries=3&max_message_size=1MiB")
        queue = MongoBackend(url.with_options(MongoBackend.options)).queue("q")
        assert (queue.max_deliveries, queue.max_message_size) == (3, 2**20)

    def test_a_queue_and_a_store_can_be_made_without_a_backend(self, server):
        queue, store = MongoQueue("q", url=server.url("alone")), MongoDataStore("r", url=server.url("alone"))
        assert queue.settles_into(store)
        queue.write(b"x")
        assert queue.read() == b"x"
        queue.close()
        store.close()

    def test_another_setting_than_the_url_is_refused_by_name(self):
        with pytest.raises(ConfigurationError, match="'host'"):
            MongoQueue("q", host="localhost")

    @pytest.mark.parametrize("size", [0, -1])
    def test_a_limit_that_no_message_can_keep_is_refused(self, size):
        with pytest.raises(ConfigurationError, match="max_message_size must be at least 1 byte"):
            MongoQueue("q", max_message_size=size)

    @pytest.mark.parametrize("show", [repr, str])
    def test_the_password_is_never_shown(self, show):
        backend = MongoBackend(BackendURL.parse("mongodb://ann:secret-word@localhost"))
        parts = [backend, backend.settings, backend.queue("q"), backend.data_store("s"), backend.url]
        assert [part for part in parts if "secret-word" in show(part)] == []


@pytest.fixture(scope="module")
def guarded():
    """A server with users: one who owns everything, and one for a single database."""
    with MongoServer(config={"auth": ""}) as server:
        with closing(server.connect()) as client:
            client.admin.command("createUser", "root", pwd="root", roles=["root"])
        with closing(server.connect(username="root", password="root")) as client:
            roles = [{"role": "readWrite", "db": "mail"}]
            client["mail"].command("createUser", "ann@post", pwd="p/a:ss@word", roles=roles)
        yield server


class TestUsers:
    def url(self, server, database="mail", password="p%2Fa%3Ass%40word", **options):
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"mongodb://ann%40post:{password}@{server.address}/{database}?{query}"

    def test_a_user_of_one_database_can_do_everything_there(self, guarded, new_backend):
        backend = new_backend(self.url(guarded))
        queue, store = backend.queue("q"), backend.data_store("r")
        queue.write(b"x")
        (delivery,) = queue.claim(1, 60.0, wait=1.0).deliveries
        assert queue.extend([delivery], 60.0) == [True]
        queue.pause()
        queue.resume()
        store.put("k", b"v", ttl=60.0)
        assert store.wait("k", 5.0)
        assert backend.describe()["indexes"] == "complete"
        assert backend.warnings() == []
        queue.flush()

    def test_another_database_is_refused(self, guarded, new_backend):
        with pytest.raises(OperationFailure) as refused:
            new_backend(self.url(guarded, "other", authSource="mail")).queue("q").write(b"x")
        assert refused.value.code == 13

    @pytest.mark.parametrize("database", ["mail", "other"])
    @pytest.mark.parametrize("ask", [lambda backend: backend.ping(), lambda backend: backend.queue("q").write(b"x")])
    def test_a_refused_login_names_the_user_and_its_database_and_not_the_password(
        self, guarded, new_backend, database, ask
    ):
        with pytest.raises(OperationFailure) as refused:
            ask(new_backend(self.url(guarded, database, password="wrong-word")))
        assert f"refuses the login of user 'ann@post' of the database '{database}'" in str(refused.value)
        assert "wrong-word" not in str(refused.value)

    def test_a_missing_login_is_said(self, guarded, new_backend):
        with pytest.raises(OperationFailure, match="asks for a login and the URL has none"):
            new_backend(guarded.url("mail")).queue("q").write(b"x")


class TestReports:
    def test_a_standalone_server_is_described(self, backend):
        described = backend.describe()
        assert (described["product"], described["deployment"]) == ("mongodb", "standalone server")
        assert described["version"][0].isdigit()
        assert described["write concern"] == "w=majority, j=True, wtimeout=15000"
        assert described["waiting"].startswith("looks")

    def test_a_replica_set_is_described(self, replica_set, new_backend):
        described = new_backend(replica_set.url()).describe()
        assert described["deployment"].startswith("replica set huey of 3")
        assert described["waiting"] == "change stream"

    def test_a_sound_server_gives_no_warning(self, backend, replica_set, new_backend):
        assert backend.warnings() == []
        assert new_backend(replica_set.url()).warnings() == []

    def test_a_lower_write_concern_gives_one(self, server, replica_set, new_backend):
        (loose,) = new_backend(replica_set.url(w="1")).warnings()
        assert "failover" in loose
        (loose,) = new_backend(server.url(w="1")).warnings()
        assert "journal" in loose

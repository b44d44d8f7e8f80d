"""What ``huey doctor`` says about a real MongoDB."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from huey_core.exceptions import ConfigurationError, QueueException
from huey_mongo.indexes import INDEXES
from huey_mongo.testing import MongoServer

CHECKS = ("URL", "connection", "server", "settings", "capabilities", "round trip", "queue")
"""What does not depend on how busy the machine is."""


@pytest.fixture
def diagnose(command_line):
    """Runs the doctor on a URL and returns its findings by check, after a look at the exit code."""

    def diagnose(url):
        result = command_line.run("doctor", url, "--json")
        shown = json.loads(result.stdout)
        assert result.exit_code == (0 if shown["healthy"] else 1)
        return {finding["check"]: finding for finding in shown["checks"]}

    return diagnose


@pytest.fixture(scope="module")
def guarded_server():
    """A server that knows its users.

    ``writer`` may make no index, ``stranger`` may not even list them, and ``reader`` may only read.
    """
    rights = ["find", "insert", "update", "remove"]
    with MongoServer(config={"auth": ""}) as server:
        with closing(server.connect()) as client:
            client.admin.command("createUser", "root", pwd="root", roles=["root"])
        with closing(server.connect(username="root", password="root")) as client:
            for name, more in (("writer", ["listIndexes"]), ("stranger", [])):
                privilege = {"resource": {"db": "", "collection": "huey"}, "actions": rights + more}
                client.admin.command("createRole", f"{name}s", privileges=[privilege], roles=[])
                client.admin.command("createUser", name, pwd="s3cret", roles=[f"{name}s"])
            client.admin.command("createUser", "reader", pwd="s3cret", roles=["readAnyDatabase"])
        yield server


def as_user(server: MongoServer, name: str, password: str = "s3cret") -> str:
    return server.url(name, authSource="admin").replace("//", f"//{name}:{password}@")


def levels(found, *checks):
    return {check: found[check]["level"] for check in checks if check in found}


def test_a_standalone_server_passes_every_check(server, diagnose):
    found = diagnose(server.url("doctor", queue="standalone"))

    assert levels(found, *CHECKS) == dict.fromkeys(CHECKS, "ok")
    assert found["server"]["facts"]["deployment"] == "standalone server"


def test_a_replica_set_passes_every_check_and_its_primary_is_named(replica_set, diagnose):
    found = diagnose(replica_set.url("doctor", queue="set"))

    assert levels(found, *CHECKS) == dict.fromkeys(CHECKS, "ok")
    assert found["server"]["facts"]["deployment"] == f"replica set huey of 3, primary {replica_set.primary().address}"
    assert found["server"]["facts"]["waiting"] == "change stream"


def test_the_version_the_durability_and_the_indexes_are_those_of_the_server(server, diagnose):
    with closing(server.connect()) as client:
        version = client.server_info()["version"]

    facts = diagnose(server.url("doctor"))["server"]["facts"]

    assert (facts["product"], facts["version"], facts["indexes"]) == ("mongodb", version, "complete")
    assert facts["write concern"].startswith("w=majority, j=True")


def test_the_round_trip_leaves_nothing_behind(server, diagnose):
    diagnose(server.url("doctor_traces"))

    with closing(server.connect()) as client:
        assert list(client["doctor_traces"]["huey"].find()) == []


def test_writes_that_do_not_wait_for_the_journal_are_a_warning(server, diagnose):
    settings = diagnose(server.url("doctor", journal="false"))["settings"]

    assert settings["level"] == "warn"
    assert "add journal=true" in settings["sentence"]


def test_indexes_that_the_user_may_not_make_are_named_and_the_rest_works(guarded_server, diagnose):
    found = diagnose(as_user(guarded_server, "writer"))

    assert levels(found, *CHECKS) == {**dict.fromkeys(CHECKS, "ok"), "settings": "warn"}
    assert all(index.document["name"] in found["settings"]["sentence"] for index in INDEXES)
    assert found["server"]["facts"]["indexes"].startswith("missing: ")


def test_a_user_who_may_not_make_indexes_is_refused_a_unique_write_once_they_are_gone(guarded_server, new_backend):
    owned = guarded_server.url("lost", authSource="admin").replace("//", "//root:root@")
    new_backend(owned).queue("q").write(b"x")
    queue = new_backend(owned.replace("root:root", "writer:s3cret")).queue("q")
    queue.write(b"x", unique_key="before")
    with closing(guarded_server.connect(username="root", password="root")) as client:
        client["lost"]["huey"].drop()

        with pytest.raises(QueueException, match="may not make them; let one who may"):
            queue.write(b"x", unique_key="k")

        assert client["lost"]["huey"].count_documents({}) == 0


def test_setting_up_as_a_user_who_may_not_make_indexes_is_refused_by_what_to_do(guarded_server, new_backend):
    with pytest.raises(
        ConfigurationError, match=r"may not make the indexes of writer\.huey; give the URL of one who may"
    ):
        new_backend(as_user(guarded_server, "writer")).set_up()


def test_after_setting_up_a_user_who_may_not_make_indexes_has_them(guarded_server, new_backend):
    new_backend(guarded_server.url("set-up", authSource="admin").replace("//", "//root:root@")).set_up()
    consumer = new_backend(guarded_server.url("set-up", authSource="admin").replace("//", "//writer:s3cret@"))
    assert consumer.describe()["indexes"] == "complete"
    assert consumer.warnings() == []


def test_indexes_that_the_user_may_not_list_are_unknown_and_nothing_fails(guarded_server, diagnose):
    found = diagnose(as_user(guarded_server, "stranger"))

    assert levels(found, *CHECKS) == dict.fromkeys(CHECKS, "ok")
    assert found["server"]["facts"]["indexes"] == "unknown: this user may not list them"


def test_a_user_who_may_not_write_fails_the_round_trip_for_that_reason(guarded_server, diagnose):
    round_trip = diagnose(as_user(guarded_server, "reader"))["round trip"]

    assert round_trip["level"] == "fail"
    assert "OperationFailure" in round_trip["sentence"]


def test_a_wrong_password_is_one_failure_that_does_not_show_it(guarded_server, diagnose):
    found = diagnose(as_user(guarded_server, "writer", "wrong-word"))

    assert levels(found, *CHECKS) == {"URL": "ok", "connection": "fail"}
    assert "refuses the login of user 'writer'" in found["connection"]["sentence"]
    assert "wrong-word" not in json.dumps(found)

"""The file: how it is set up, which files are refused, and what is said when it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from huey_core.exceptions import ConfigurationError
from huey_sqlite import SQLiteQueue, database, schema

MINUTE = 60.0


@pytest.fixture
def raw(path):
    """A connection of another program to the file."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        yield connection


def pragma(opened, name):
    with opened.read() as connection:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "value"),
        [("journal_mode", "wal"), ("synchronous", 1), ("busy_timeout", 5000), ("wal_autocheckpoint", 4000)],
    )
    def test_a_connection_is_set_as_documented(self, name, value, open_database):
        assert pragma(open_database(), name) == value

    def test_full_syncs_each_commit_also_where_that_takes_more(self, open_database):
        opened = open_database(synchronous="full")

        assert (pragma(opened, "synchronous"), pragma(opened, "fullfsync")) == (2, 1)

    def test_the_busy_timeout_is_that_of_the_settings(self, open_database):
        assert pragma(open_database(busy_timeout=0.25), "busy_timeout") == 250

    def test_the_file_says_whose_it_is_and_of_which_version(self, make_queue, raw):
        make_queue().write(b"x")

        assert raw.execute("PRAGMA application_id").fetchone()[0].to_bytes(4, "big") == b"HUEY"
        assert raw.execute("PRAGMA user_version").fetchone()[0] == schema.SCHEMA_VERSION


class TestWhatIsRefused:
    @pytest.mark.parametrize(("newer", "remedy"), [(1, "upgrade huey-sqlite"), (-1, "name another file")])
    def test_a_file_of_another_version_is_refused_and_left_alone(self, make_queue, raw, newer, remedy):
        make_queue().write(b"x")
        raw.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + newer}")

        with pytest.raises(ConfigurationError, match=remedy):
            make_queue().write(b"y")

        assert raw.execute("SELECT count(*) FROM message").fetchone() == (1,)

    def test_a_database_of_another_program_is_refused_and_left_alone(self, make_queue, raw):
        raw.execute("CREATE TABLE invoice (total INTEGER)")

        with pytest.raises(ConfigurationError, match="another program"):
            make_queue().write(b"x")

        assert raw.execute("SELECT name FROM sqlite_master").fetchall() == [("invoice",)]
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("delete",)

    def test_a_file_that_is_no_database_is_refused_and_left_alone(self, make_queue, path):
        path.write_bytes(b"an important document\n" * 100)

        with pytest.raises(sqlite3.DatabaseError, match=r"huey\.db: .*; name another file"):
            make_queue().write(b"x")

        assert path.read_bytes() == b"an important document\n" * 100

    def test_a_folder_that_is_not_there_is_named(self, tmp_path):
        queue = SQLiteQueue("q", path=tmp_path / "no" / "huey.db")

        with pytest.raises(sqlite3.OperationalError, match=r"no/huey\.db: .*does its folder exist"):
            queue.write(b"x")

    def test_a_folder_that_cannot_be_written_is_named(self):
        # Not even the superuser, which tests in a container often are, can make files in this one.
        queue = SQLiteQueue("q", path="/proc/huey.db")

        with pytest.raises(sqlite3.OperationalError, match=r"/proc/huey\.db: .*may this user write in it"):
            queue.write(b"x")

    def test_an_older_library_is_refused_by_its_version(self, make_queue, monkeypatch):
        monkeypatch.setattr(database, "OLDEST_SQLITE", (99, 0, 0))

        with pytest.raises(ConfigurationError, match=rf"needs SQLite 99\.0\.0 .* has {sqlite3.sqlite_version}"):
            make_queue().write(b"x")


class TestLocks:
    def test_a_lock_that_is_held_too_long_is_an_error_in_time_and_loses_nothing(self, make_queue, raw):
        queue = make_queue(busy_timeout=0.2)
        queue.write(b"first")
        raw.execute("BEGIN IMMEDIATE")
        started = time.monotonic()

        for call in (lambda: queue.write(b"refused"), lambda: queue.claim(1, MINUTE).deliveries):
            with pytest.raises(sqlite3.OperationalError, match=r"busy_timeout, 0\.2 seconds"):
                call()

        assert time.monotonic() - started >= 0.4
        raw.execute("ROLLBACK")
        assert queue.read() == b"first"
        assert queue.read() is None

    def test_readers_do_not_wait_for_a_lock(self, make_queue, make_data_store, raw):
        queue, store = make_queue(busy_timeout=0), make_data_store(busy_timeout=0)
        queue.write(b"x")
        store.put("k", b"value")
        raw.execute("BEGIN IMMEDIATE")

        assert queue.counts().ready == 1
        assert store.peek("k") == b"value"

    def test_a_claim_of_nothing_and_looks_for_what_is_absent_do_not_wait_for_a_lock(
        self, make_queue, make_data_store, raw
    ):
        queue, store = make_queue(busy_timeout=0), make_data_store(busy_timeout=0)
        store.put("taken", b"by another")
        raw.execute("BEGIN IMMEDIATE")

        assert queue.claim(1, MINUTE, wait=0.05).deliveries == []
        assert not store.get("absent")
        assert not store.put_if_absent("taken", b"by me")
        assert not store.replace_if_equal("taken", b"by me", b"again")

    def test_a_lock_that_is_given_back_in_time_is_waited_for(self, make_queue, raw):
        queue = make_queue(busy_timeout=60)
        queue.write(b"first")
        raw.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.1, raw.execute, ["ROLLBACK"])
        release.start()

        assert queue.write(b"second").created
        release.join()

    def test_threads_that_write_for_too_long_are_an_error_too(self, make_queue):
        queue = make_queue(busy_timeout=0.1)
        with queue.database.write(), pytest.raises(sqlite3.OperationalError, match="other threads of this process"):
            queue.write(b"x")

        assert queue.write(b"x").created

    def test_an_exception_in_a_transaction_undoes_it(self, make_queue):
        queue = make_queue()

        def pause_and_stop():
            with queue.database.write() as transaction:
                transaction.execute("INSERT INTO paused (queue) VALUES ('q')")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            pause_and_stop()
        assert not queue.counts().paused


def test_processes_that_make_the_file_together_all_succeed(path, make_queue):
    code = (
        "import sys; from huey_sqlite import SQLiteQueue; "
        "SQLiteQueue('q', path=sys.argv[1], busy_timeout=60).write(b'x')"
    )

    writers = [subprocess.Popen([sys.executable, "-c", code, path]) for _ in range(6)]

    assert [writer.wait(60) for writer in writers] == [0] * 6
    assert len(make_queue()) == 6


def test_idle_connections_are_closed_and_the_file_is_whole_afterwards(make_queue, path):
    queue = make_queue()
    queue.write(b"x")

    queue.database.close()

    assert os.listdir(path.parent) == [path.name]


def test_a_database_that_nobody_refers_to_closes_its_connections(path):
    queue = SQLiteQueue("q", path=path)
    queue.write(b"x")

    del queue

    assert os.listdir(path.parent) == [path.name]


class TestReplaced:
    """Somebody removes the file, or puts another in its place, while it is in use."""

    @staticmethod
    def remove(path):
        for each in path.parent.glob(f"{path.name}*"):
            each.unlink()

    @staticmethod
    def replace(path):
        SQLiteQueue("q", path=path.with_name("other.db")).close()
        other = SQLiteQueue("q", path=path.with_name("other.db"))
        other.write(b"of the other file")
        other.close()
        os.replace(path.with_name("other.db"), path)
        for each in path.parent.glob(f"{path.name}-*"):
            each.unlink()

    @staticmethod
    def rename(path):
        os.rename(path, path.with_name("old.db"))
        for each in path.parent.glob(f"{path.name}-*"):
            each.unlink()

    @pytest.mark.parametrize("happens", ["remove", "rename"])
    def test_what_is_written_afterwards_is_in_the_new_file(self, make_queue, path, happens, eventually):
        queue = make_queue()
        queue.write(b"before")
        getattr(self, happens)(path)

        eventually(lambda: queue.counts().ready == 0)
        queue.write(b"after")

        assert [make_queue().read(), queue.read()] == [b"after", None]

    def test_the_file_in_its_place_is_used(self, make_queue, path, eventually):
        queue = make_queue()
        queue.write(b"before")
        self.replace(path)

        eventually(lambda: queue.counts().ready == 1 and queue.peek("ready")[0].data == b"of the other file")

    def test_a_claim_that_waits_gets_what_is_written_into_the_new_file(self, make_queue, path):
        queue = make_queue()
        queue.write(b"before")
        queue.read()
        with ThreadPoolExecutor() as threads:
            claim = threads.submit(queue.claim, 1, MINUTE, MINUTE)
            self.remove(path)
            make_queue().write(b"after")

            assert [delivery.data for delivery in claim.result().deliveries] == [b"after"]

    def test_who_waits_for_a_value_gets_the_one_in_the_new_file(self, make_data_store, path):
        store = make_data_store()
        store.put("before", b"x")
        with ThreadPoolExecutor() as threads:
            wait = threads.submit(store.wait, "k", MINUTE)
            self.remove(path)
            make_data_store().put("k", b"value")

            assert wait.result()
        assert store.peek("k") == b"value"

    def test_that_is_told_once(self, make_queue, path, caplog, eventually):
        queue = make_queue()
        queue.write(b"before")
        self.remove(path)

        eventually(lambda: queue.counts().ready == 0)
        queue.write(b"after")
        queue.read()

        assert [record.levelname for record in caplog.records if "was removed or replaced" in record.message] == [
            "WARNING"
        ]

    def test_a_file_that_is_left_alone_is_never_called_replaced(self, make_queue, path, caplog):
        for _ in range(3):
            make_queue().write(b"x")
            make_queue().read()

        assert caplog.records == []


class TestMode:
    def test_the_file_and_what_lies_beside_it_are_for_their_owner_alone(self, make_queue, path):
        before = os.umask(0)
        try:
            make_queue().write(b"a password")
        finally:
            os.umask(before)

        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
        assert modes == dict.fromkeys(("huey.db", "huey.db-wal", "huey.db-shm"), 0o600)

    def test_the_mode_of_a_file_that_is_there_is_left_alone(self, make_queue, path):
        path.touch()
        path.chmod(0o660)
        make_queue().write(b"x")

        assert {stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()} == {0o660}

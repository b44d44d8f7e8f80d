"""Which URLs name a file, which file that is, what is said of the others, and what the backend says of a file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest

from huey_core.backends.messages import Message
from huey_core.backends.url import BackendURL
from huey_core.exceptions import ConfigurationError
from huey_core.plugins.backends import open_backend
from huey_sqlite import SQLiteBackend, SQLiteQueue
from huey_sqlite.schema import SCHEMA_VERSION


def backend_of(url):
    return SQLiteBackend(BackendURL.parse(url).with_options(SQLiteBackend.options))


class TestPaths:
    @pytest.mark.parametrize(
        ("url", "path"),
        [
            ("sqlite:///huey.db", "{cwd}/huey.db"),
            ("sqlite:///data/huey.db", "{cwd}/data/huey.db"),
            ("sqlite:///../huey.db", "{parent}/huey.db"),
            ("sqlite:////var/lib/huey.db", "/var/lib/huey.db"),
            ("sqlite:///a%20b%3Fc.db", "{cwd}/a b?c.db"),
            ("sqlite:///file:huey.db", "{cwd}/file:huey.db"),
        ],
    )
    def test_three_slashes_are_relative_and_four_are_absolute(self, url, path, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        assert backend_of(url).database.settings.path == path.format(cwd=tmp_path, parent=tmp_path.parent)

    def test_a_change_of_directory_does_not_lead_to_another_file(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        backend = backend_of("sqlite:///huey.db")
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")

        backend.ping()

        assert (tmp_path / "huey.db").exists()
        backend.close()

    def test_a_link_is_followed_so_that_both_names_are_one_file(self, path, make_data_store, tmp_path):
        link = tmp_path / "link.db"
        link.symlink_to(path)
        queue = SQLiteQueue("q", path=link)

        assert queue.settles_into(make_data_store())
        queue.close()

    @pytest.mark.parametrize(
        ("url", "complaint"),
        [
            ("sqlite://", "names a file: sqlite:///huey.db is a file in the current directory"),
            ("sqlite:///", "names a file: sqlite:///huey.db is a file in the current directory"),
            ("sqlite://huey.db", "three slashes before the path, or four"),
            ("sqlite://data/huey.db", "three slashes before the path, or four"),
            ("sqlite:///data/", "this one a folder"),
            ("sqlite:///..", "this one a folder"),
            ("sqlite:///:memory:", "memory://"),
            ("sqlite:///a%00b", "NUL"),
            ("sqlite://user@/huey.db", "no user and no password"),
        ],
    )
    def test_another_url_is_refused_with_the_rule(self, url, complaint):
        with pytest.raises(ConfigurationError, match=complaint):
            backend_of(url)

    def test_a_password_is_not_repeated(self):
        with pytest.raises(ConfigurationError) as refused:
            backend_of("sqlite://:sesame@/huey.db")

        assert "sesame" not in str(refused.value)


class TestOptions:
    def test_the_options_reach_the_file(self, path):
        backend = backend_of(
            f"sqlite:///{path}?synchronous=FULL&busy_timeout=250ms&poll_interval=20ms&max_message_size=1KiB"
        )
        settings = backend.database.settings

        assert (settings.synchronous, settings.busy_timeout, settings.poll_interval) == ("full", 0.25, 0.02)
        assert backend.queue("q").max_message_size == 1024

    @pytest.mark.parametrize(
        "query",
        ["synchronous=off", "synchronous=maybe", "busy_timeout=2d", "poll_interval=0", "max_message_size=1GB"],
    )
    def test_a_value_that_cannot_be_used_is_refused_by_name(self, query, path):
        with pytest.raises(ConfigurationError, match=query.partition("=")[0]):
            backend_of(f"sqlite:///{path}?{query}")

    def test_an_unknown_setting_is_named(self, path):
        with pytest.raises(TypeError, match="timeout_busy"):
            SQLiteQueue("q", path=path, timeout_busy=1)


class TestBackend:
    def test_it_is_found_by_its_entry_point(self, path):
        assert isinstance(open_backend(f"sqlite:///{path}"), SQLiteBackend)

    def test_it_describes_the_library_the_file_and_the_durability(self, path):
        backend = backend_of(f"sqlite:///{path}?synchronous=full")

        description = backend.describe()

        assert description["product"] == "SQLite"
        assert description["version"] == sqlite3.sqlite_version
        assert "synchronous=full" in description["durability"]
        assert description["file"].startswith(f"{os.path.realpath(path)}, ")
        backend.close()

    def test_a_set_up_makes_the_file_and_says_what_is_there(self, path):
        backend = backend_of(f"sqlite:///{path}")

        lines = backend.set_up()

        assert lines == [f"file: {os.path.realpath(path)}, with a write-ahead log", f"tables: version {SCHEMA_VERSION}"]
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("SELECT count(*) FROM message").fetchone() == (0,)
        assert backend.set_up() == lines
        backend.close()

    def test_a_set_up_leaves_what_is_there_alone(self, path):
        backend = backend_of(f"sqlite:///{path}")
        backend.queue("q").write(b"x")

        backend.set_up()

        assert backend.queue("q").read() == b"x"
        backend.close()

    def test_a_set_up_refuses_the_file_of_another_program(self, path):
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE invoice (total INTEGER)")

        with pytest.raises(ConfigurationError, match="another program"):
            backend_of(f"sqlite:///{path}").set_up()

    def test_a_queue_is_named_as_long_as_it_has_messages_or_is_paused(self, path):
        backend = backend_of(f"sqlite:///{path}")
        for name in ("b", "a", ""):
            backend.queue(name).write_many([Message(b"x"), Message(b"y")])
        backend.queue("paused").pause()
        backend.queue("drained").write(b"x")
        backend.queue("drained").read()

        assert backend.queue_names() == ["", "a", "b", "paused"]
        backend.close()

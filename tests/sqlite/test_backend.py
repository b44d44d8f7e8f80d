"""Which URLs name a file, which file that is, and what is said of the others."""

from __future__ import annotations

import os
import sqlite3

import pytest

from huey_core.backends.url import BackendURL
from huey_core.exceptions import ConfigurationError
from huey_core.plugins.backends import open_backend
from huey_sqlite import SQLiteBackend, SQLiteQueue


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

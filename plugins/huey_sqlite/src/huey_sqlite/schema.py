"""The tables of a file, and the check that a file is ours and of this version.

``application_id`` says that a file is ours and ``user_version`` is the version of its tables. The order of messages is
that of ``seq``, the order of writing, within a priority; nothing that happens to a message changes it, so what comes
back is at the head. ``due`` is NULL for what is ready, ``receipt`` for what is not running. ``report_at`` is the time
from which a claim may name a dead letter to be reported, and NULL for everything else. ``wake_store`` and ``wake_key``
are of what a scheduled message waits for, and NULL for everything that waits for its time alone. Whatever ends the life
of a message frees its unique key through a trigger, unless the key was taken for a time.

A row of ``arrival_group`` is what is known of a group of messages, and each row of ``arrival`` a member that has
arrived. A group that is forgotten has no ``id`` any more, so that another can begin under it at once; its rows are
deleted later, a few at a time. The numbers of groups are never given twice, so the members of one are never taken for
those of another.

There are no CHECK constraints: together with a trigger they make SQLite keep a journal for each statement, which takes
longer than the statement.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from huey_core.exceptions import ConfigurationError

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "is_made", "make"]

APPLICATION_ID: Final = 0x48554559
"""The letters ``HUEY``, where SQLite and the program ``file`` look for what a database belongs to."""

SCHEMA_VERSION: Final = 3

_TABLES: Final = """
CREATE TABLE message (
    seq        INTEGER PRIMARY KEY,
    queue      TEXT NOT NULL,
    id         TEXT NOT NULL,
    state      TEXT NOT NULL,
    priority   INTEGER NOT NULL,
    attempt    INTEGER NOT NULL DEFAULT 0,
    due        REAL,
    receipt    TEXT,
    report_at  REAL,
    wake_store TEXT,
    wake_key   TEXT,
    unique_key TEXT,
    unique_for REAL,
    reason     TEXT NOT NULL DEFAULT '',
    detail     TEXT NOT NULL DEFAULT '',
    data       BLOB NOT NULL,
    UNIQUE (queue, id)
);
CREATE INDEX message_ready ON message (queue, priority DESC, seq) WHERE state = 'ready';
CREATE INDEX message_due ON message (queue, state, due) WHERE due IS NOT NULL;
CREATE INDEX message_unreported ON message (queue, report_at) WHERE report_at IS NOT NULL;
CREATE INDEX message_waiting ON message (queue, wake_store, wake_key, priority DESC, seq) WHERE wake_key IS NOT NULL;

CREATE TABLE unique_key (
    queue      TEXT NOT NULL,
    key        TEXT NOT NULL,
    message_id TEXT NOT NULL,
    expires    REAL,
    PRIMARY KEY (queue, key)
) WITHOUT ROWID;
CREATE INDEX unique_key_expires ON unique_key (expires) WHERE expires IS NOT NULL;

CREATE TRIGGER message_deleted AFTER DELETE ON message WHEN OLD.unique_key IS NOT NULL BEGIN
    DELETE FROM unique_key
    WHERE queue = OLD.queue AND key = OLD.unique_key AND message_id = OLD.id AND expires IS NULL;
END;
CREATE TRIGGER message_buried AFTER UPDATE OF state ON message
WHEN NEW.state = 'dead' AND NEW.unique_key IS NOT NULL BEGIN
    DELETE FROM unique_key
    WHERE queue = NEW.queue AND key = NEW.unique_key AND message_id = NEW.id AND expires IS NULL;
END;

CREATE TABLE arrival_group (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    queue   TEXT NOT NULL,
    id      TEXT,
    arrived INTEGER NOT NULL DEFAULT 0,
    of      INTEGER NOT NULL,
    expires REAL NOT NULL,
    UNIQUE (queue, id)
);
CREATE INDEX arrival_group_expires ON arrival_group (expires);

CREATE TABLE arrival (
    group_seq INTEGER NOT NULL,
    member    TEXT NOT NULL,
    PRIMARY KEY (group_seq, member)
) WITHOUT ROWID;

CREATE TABLE paused (queue TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE value (
    store   TEXT NOT NULL,
    key     TEXT NOT NULL,
    expires REAL,
    value   BLOB NOT NULL,
    PRIMARY KEY (store, key)
);
CREATE INDEX value_expires ON value (expires) WHERE expires IS NOT NULL;
"""


def is_made(connection: sqlite3.Connection, path: str) -> bool:
    """Whether the file has our tables; ``False`` for an empty one.

    Raises:
        ConfigurationError: The file belongs to another program, or to another version of this one.
    """
    application, version, tables = connection.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master) "
        "FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if (application, version, tables) == (0, 0, 0):
        return False
    if application != APPLICATION_ID:
        raise ConfigurationError(f"{path} is a database of another program; name a file of its own for huey")
    if version != SCHEMA_VERSION:
        remedy = "upgrade huey-sqlite" if version > SCHEMA_VERSION else "name another file"
        raise ConfigurationError(
            f"{path} has tables of version {version} and this huey-sqlite knows version {SCHEMA_VERSION}; {remedy}"
        )
    return True


def make(connection: sqlite3.Connection, path: str) -> None:
    """Make the tables of an empty file, unless another process has made them meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    if not is_made(connection, path):
        for statement in _statements(_TABLES):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _statements(script: str) -> list[str]:
    # Connection.executescript() would commit the transaction that it is meant to be part of.
    statements: list[str] = []
    pending = ""
    for line in script.strip().splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements

"""A log file that processes share is rotated once at a time, and no record is lost."""

from __future__ import annotations

import logging
import subprocess
import sys

from huey_core.consumer.log_file import SharedFileHandler

PROGRAM = """
import logging, sys
from huey_core.consumer.log_file import SharedFileHandler

handler = SharedFileHandler(sys.argv[1], maxBytes=1000, backupCount=100)
for number in range(200):
    handler.emit(logging.makeLogRecord({"msg": f"{sys.argv[2]} {number}"}))
"""


def record(text):
    return logging.makeLogRecord({"msg": text})


def test_no_record_of_several_processes_is_lost_when_each_of_them_rotates(tmp_path):
    programs = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path / "log"), str(number)]) for number in range(3)
    ]

    assert [program.wait(60) for program in programs] == [0, 0, 0]

    lines = [line for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert sorted(lines) == sorted(f"{program} {number}" for program in range(3) for number in range(200))
    # Each file but the last is full, so none was rotated twice at a time.
    assert min(file.stat().st_size for file in tmp_path.glob("log.*")) > 900


def test_what_is_written_after_another_has_rotated_is_in_the_new_file(tmp_path):
    first, second = (SharedFileHandler(tmp_path / "log", maxBytes=20, backupCount=1) for _ in range(2))
    first.emit(record("before the change"))
    second.emit(record("which this makes"))

    first.emit(record("!"))

    assert (tmp_path / "log").read_text() == "which this makes\n!\n"
    first.close()
    second.close()


def test_a_file_that_somebody_has_removed_is_made_again(tmp_path):
    handler = SharedFileHandler(tmp_path / "log")
    (tmp_path / "log").unlink()

    handler.emit(record("here"))

    assert (tmp_path / "log").read_text() == "here\n"
    handler.close()

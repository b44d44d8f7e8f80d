"""The original API's Django part under its old names; what its page shows is run with the page."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import huey_core
huey_core.install_as_huey()

from django.conf import settings
settings.configure(
    SECRET_KEY="for tests",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "huey.djhuey"],
    HUEY_CONFIG={"QUEUE": "huey_memory.MemoryQueue"},
)
import django
django.setup()

from django.core.management import call_command, get_commands
call_command("check")
assert get_commands()["run_huey"] == "huey_django"

import huey_django.decorators
from huey.djhuey.decorators import crontab, periodic_command, queue_command
assert queue_command is huey_django.decorators.queue_command
assert huey_django.get_invoker().queue.name == "huey"
"""


def test_the_old_name_of_the_application_is_another_name_of_the_new_one(tmp_path):
    command = [sys.executable, "-W", "error", "-c", PROGRAM]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr

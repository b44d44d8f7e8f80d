"""The settings of the other tests, with files for a browser and further queues."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as OTHERS

INSTALLED_APPS = [*OTHERS, "django.contrib.staticfiles"]
TASKS = {"default": {"BACKEND": "huey_django.tasks.HueyBackend", "QUEUES": ["default", "reports", "archive"]}}
ROOT_URLCONF = "browser_urls"
# A database in memory is one connection for all threads of the server, which it takes from those that still answer the
# browser when a test ends. Of a file, each has its own. Both names are files, because the server looks at the one that
# is set when it starts, which may be before the tests' own database is made.
DATABASE = Path(tempfile.gettempdir()) / f"huey-browser-{os.getpid()}.sqlite3"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATABASE.with_stem(f"{DATABASE.stem}-unused"),
        "OPTIONS": {"timeout": 60},
        "TEST": {"NAME": DATABASE},
    }
}

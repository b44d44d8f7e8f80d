"""The settings of the other tests, with files for a browser and a second queue."""

from __future__ import annotations

from project.settings import *  # noqa: F403
from project.settings import INSTALLED_APPS as OTHERS

INSTALLED_APPS = [*OTHERS, "django.contrib.staticfiles"]
TASKS = {"default": {"BACKEND": "huey_django.tasks.HueyBackend", "QUEUES": ["default", "reports"]}}
ROOT_URLCONF = "browser_urls"

"""A consumer in a process of its own: ``python consumer_process.py URL``."""

from __future__ import annotations

import sys
import threading

import django
from django.conf import settings


def main(url: str) -> None:
    settings.configure(
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["huey_django"],
        TASKS={"default": {"BACKEND": "huey_django.tasks.HueyBackend", "OPTIONS": {"URL": url}}},
    )
    django.setup()

    from huey_core.consumer import Consumer
    from huey_django.tasks import invokers_of

    # While its one thread is busy it runs nothing twice, even when it has to wait for longer than its lease.
    with Consumer(invokers_of("default")["default"], threads=1, periodic=False).running():
        threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])

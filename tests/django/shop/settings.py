"""The settings of a small project whose consumers are processes; a test may add its own, as JSON in SHOP_SETTINGS."""

from __future__ import annotations

import json
import os
from pathlib import Path

FOLDER = Path(os.environ["SHOP_FOLDER"])

SECRET_KEY = "only for tests"
DEBUG = False
INSTALLED_APPS = ["huey_django", "orders"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "shop.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {"timeout": 30},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "urls"
LANGUAGE_CODE = "en-gb"
USE_TZ = True
TIME_ZONE = "Asia/Kolkata"
HUEY = os.environ["HUEY_URL"]

globals().update(json.loads(os.environ.get("SHOP_SETTINGS", "{}")))

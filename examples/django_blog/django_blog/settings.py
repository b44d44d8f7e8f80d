"""Settings for trying this out on one machine. What the environment says goes before what is written here."""

from __future__ import annotations

import os
from pathlib import Path

import django

FOLDER = Path(os.environ.get("BLOG_FOLDER", Path(__file__).parent.parent))

SECRET_KEY = "a blog that only its author reads needs no better one"
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "huey_django",
    "blog",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "django_blog.urls"
STATIC_URL = "static/"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "blog.sqlite3",
        # Every request is one transaction; commands are enqueued when it is committed.
        "ATOMIC_REQUESTS": True,
        # Requests and commands write to the same file, one after another: seconds to wait for one's turn.
        "OPTIONS": {"timeout": 30},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "Europe/Berlin"
USE_TZ = True

CONSOLE = "django.core.mail.backends.console.EmailBackend"
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": CONSOLE}}
else:
    EMAIL_BACKEND = CONSOLE
DEFAULT_FROM_EMAIL = "blog@example.com"
EDITORS = ["editors@example.com"]

# A file, so that nothing needs to be installed or started; HUEY_URL=redis://localhost:6379/0 is a server.
HUEY = os.environ.get("HUEY_URL", f"sqlite:///{FOLDER / 'queue.sqlite3'}")
HUEY_CONFIG = {"WORKERS": 2}

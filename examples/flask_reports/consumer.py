"""The settings that consumers are started with: they make the application as the web server does."""

from __future__ import annotations

from huey_core.consumer import BaseConfiguration

from . import create_app


class Configuration(BaseConfiguration):
    INVOKER = create_app().extensions["huey"]
    WORKERS = 2
    PERIODIC = False

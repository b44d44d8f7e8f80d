"""A web application that makes reports of a year's orders, in commands of huey-core."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from flask import Flask

from huey_core import Invoker

from .app_context import AppContext
from .routes import reports


def create_app(**config: Any) -> Flask:
    """Make the application, for the web server and for consumers alike, with what differs from the usual settings."""
    app = Flask(__name__)
    app.config["HUEY_URL"] = os.environ.get("HUEY_URL") or f"sqlite:///{Path('reports.sqlite3').absolute()}"
    app.config["ORDERS"] = Path(app.root_path, "orders.csv")
    app.config.update(config)
    app.extensions["huey"] = Invoker.from_url(app.config["HUEY_URL"], plugins=[AppContext(app)])
    app.register_blueprint(reports)
    return app

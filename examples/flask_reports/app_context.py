"""Commands run in the application's context, so that in them ``current_app`` is there, as it is in a view."""

from __future__ import annotations

from collections.abc import Generator

from flask import Flask

from huey_core import hookimpl
from huey_core.commands import Execution


class AppContext:
    """A plugin of the application's invoker."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    @hookimpl(wrapper=True)
    def huey_execute(self) -> Generator[None, Execution, Execution]:
        with self._app.app_context():
            return (yield)

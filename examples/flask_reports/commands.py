"""The command. Its invoker is the application's, which is made later, so it is looked up when the command is called."""

from __future__ import annotations

from flask import current_app

from huey_core import Invoker, queue_command
from huey_core.backends import BaseDataStore
from huey_core.invoker import DeferredInvoker

from .totals import totals_by_month


def invoker() -> Invoker[BaseDataStore]:
    """The invoker of the application whose request or command this is."""
    found: Invoker[BaseDataStore] = current_app.extensions["huey"]
    return found


# However often somebody clicks, a year has one report at a time.
@queue_command(DeferredInvoker(invoker), unique_key="{year}", retries=3, retry_delay=5, timeout=60)
def make_report(year: int) -> dict[str, str]:
    """Add up the orders of a year."""
    return {month: str(total) for month, total in totals_by_month(current_app.config["ORDERS"], year).items()}

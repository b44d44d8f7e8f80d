"""What core itself adds to commands and consumers, a file each, through the same hooks as anybody.

A feature is a plugin: it is given what every plugin is given, and uses nothing else of the invoker and the consumer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from huey_core.features.execution import Execute
from huey_core.features.expiry import Expiry
from huey_core.features.heartbeat import Heartbeat
from huey_core.features.results import Results
from huey_core.features.retries import Retries
from huey_core.features.revocation import Revocation
from huey_core.features.startup_report import StartupReport

if TYPE_CHECKING:
    from collections.abc import Callable

    from huey_core.plugins.manager import PluginManager

__all__ = ["FEATURES", "register_features"]

FEATURES: Final[dict[str, Callable[[], object]]] = {
    "expiry": Expiry,
    "revocation": Revocation,
    "execution": Execute,
    "retries": Retries,
    "results": Results,
    "heartbeat": Heartbeat,
    "startup_report": StartupReport,
}
"""The features by name, in the order in which they are registered: of two that come first, the later one is the first
to be asked."""


def register_features(manager: PluginManager) -> None:
    """Give an application's plugins core's features, as ``huey_core.NAME`` each.

    To be called when the others are registered: then those features that come first or last among all implementations
    of a hook do so among the others that ask for the same.
    """
    for name, feature in FEATURES.items():
        manager.register(feature(), f"huey_core.{name}")

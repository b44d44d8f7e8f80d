"""The task queues that are measured, each with its producer and its consumer process."""

from __future__ import annotations

import importlib
from typing import Final

from .base import Contestant

__all__ = ["Contestant", "load"]

_CLASSES: Final = {
    "huey-core": "ours:HueyCore",
    "huey": "peer_huey:Huey",
    "huey, notify_result": "peer_huey:NotifyingHuey",
    "dramatiq": "peer_dramatiq:Dramatiq",
    "raw": "raw:RawProtocol",
    "raw list": "raw:RawList",
}


def load() -> dict[str, Contestant]:
    """Make the contestants whose packages are installed, by name."""
    contestants: dict[str, Contestant] = {}
    for name, place in _CLASSES.items():
        module, _, attribute = place.partition(":")
        try:
            contestants[name] = getattr(importlib.import_module(f".{module}", __package__), attribute)(name)
        except ModuleNotFoundError as error:
            # A mistake in a module of this package is no reason to leave a contestant out.
            if (error.name or "").partition(".")[0] not in {"huey", "dramatiq"}:
                raise
    return contestants

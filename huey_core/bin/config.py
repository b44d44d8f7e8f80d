"""The name of the original API's module ``huey.bin.config``."""

from __future__ import annotations

from huey_core.consumer.config import BaseConfiguration

__all__ = ["BaseConfiguration"]

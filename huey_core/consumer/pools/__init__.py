"""The worker pools of core."""

from __future__ import annotations

from huey_core.consumer.pools.thread import ThreadPool

__all__ = ["ThreadPool"]

"""The shop has no pages."""

from __future__ import annotations

urlpatterns: list[object] = []

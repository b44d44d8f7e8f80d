"""The work itself; it knows nothing of queues or of the web, so it can be tested without them."""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal
from pathlib import Path


def totals_by_month(orders: Path, year: int) -> dict[str, Decimal]:
    """Add up the amounts of a year's orders, by month, such as ``2026-05``."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    with orders.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["date"].startswith(f"{year}-"):
                totals[row["date"][:7]] += Decimal(row["amount"])
    return dict(sorted(totals.items()))

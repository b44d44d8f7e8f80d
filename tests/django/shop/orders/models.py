"""What is in the database."""

from __future__ import annotations

from django.db import models


class Order(models.Model):
    """An order."""

    text = models.CharField(max_length=100, unique=True)

    def __str__(self) -> str:
        return self.text

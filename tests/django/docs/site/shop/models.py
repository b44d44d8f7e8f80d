"""What the pages' commands work on."""

from __future__ import annotations

from django.db import models


class Order(models.Model):
    email = models.EmailField()
    receipt_sent_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.email

"""What the blog remembers."""

from __future__ import annotations

from django.db import models


class Post(models.Model):
    title = models.CharField(max_length=200)
    text = models.TextField()
    publish_at = models.DateTimeField(help_text="From when on readers may see it.")
    published_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("-published_at",)

    def __str__(self) -> str:
        return self.title


class Letter(models.Model):
    sender = models.EmailField("your address")
    text = models.TextField()
    mailed_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"a letter of {self.sender}"

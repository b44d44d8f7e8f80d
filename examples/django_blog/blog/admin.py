"""Posts and letters in the admin; the task queue is there by itself."""

from __future__ import annotations

from django.contrib import admin

from blog.models import Letter, Post

admin.site.register([Letter, Post])

"""The addresses: the blog, and the admin with its view of the task queue."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [path("admin/", admin.site.urls), path("", include("blog.urls"))]

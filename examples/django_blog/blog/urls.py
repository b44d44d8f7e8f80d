"""The addresses of the pages."""

from __future__ import annotations

from django.urls import path

from blog.views import Posts, WriteLetter, WritePost

urlpatterns = [
    path("", Posts.as_view(), name="posts"),
    path("write/", WritePost.as_view(), name="write"),
    path("letter/", WriteLetter.as_view(), name="letter"),
]

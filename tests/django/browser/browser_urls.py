"""The admin, and the picture that a browser asks every site for."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import path
from project.urls import urlpatterns as others

urlpatterns = [*others, path("favicon.ico", lambda request: HttpResponse(status=204))]

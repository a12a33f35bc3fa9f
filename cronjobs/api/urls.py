"""Routes of the REST API."""

from __future__ import annotations

app_name = "cronjobs"
urlpatterns: list[object] = []

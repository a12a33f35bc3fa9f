"""Where the demo project answers: the admin, the app's API, and a redirect to the admin."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("cron/", include("cronjobs.api.urls")),
]

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("altoviz/", include("django_altoviz.urls")),
    path("api/altoviz/", include("django_altoviz.api.urls")),
]

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("altoviz/", include("django_altoviz.urls")),
    path("api/altoviz/", include("django_altoviz.api.urls")),
]

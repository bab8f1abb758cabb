from __future__ import annotations

from django.urls import path

from benchmarks.sites.floors import views

urlpatterns = [
    path("check/", views.check),
    path("insert/", views.insert),
    path("upsert/", views.upsert),
]

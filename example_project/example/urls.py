from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from shop.views import home

urlpatterns = [
    path("", home),
    path("admin/", admin.site.urls),
    path("altoviz/", include("django_altoviz.urls")),
]

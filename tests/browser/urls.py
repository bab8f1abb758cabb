from __future__ import annotations

from django.apps import apps
from django.urls import include, path

from tests import urls

urlpatterns = [*urls.urlpatterns]
if apps.is_installed("grappelli"):
    urlpatterns.insert(0, path("grappelli/", include("grappelli.urls")))

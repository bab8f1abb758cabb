"""The URLs of the REST API. Each version of it keeps its paths and fields."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from django_altoviz.api import views

app_name = "altoviz_api"

_router = SimpleRouter()
for _name, _view in (
    ("customers", views.CustomerViewSet),
    ("contacts", views.ContactViewSet),
    ("products", views.ProductViewSet),
    ("invoices", views.InvoiceViewSet),
    ("quotes", views.QuoteViewSet),
    ("credits", views.CreditViewSet),
    ("events", views.EventViewSet),
    ("syncs", views.SyncViewSet),
):
    _router.register(_name, _view, basename=_name.removesuffix("s"))

_paths = [
    *_router.urls,
    path("status/", views.StatusView.as_view(), name="status"),
    path("metrics/", views.MetricsView.as_view(), name="metrics"),
]
urlpatterns = [path("v1/", include(_paths))]

"""The pages on an admin site of another name, beside one that has other models."""

from __future__ import annotations

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.test import Client
from django.urls import include, path

from django_altoviz.admin.documents import InvoiceAdmin
from django_altoviz.admin.events import WebhookEventAdmin
from django_altoviz.admin.overview import OverviewAdmin
from django_altoviz.models import Invoice, Overview, WebhookEvent
from tests.conftest import body_of

pytestmark = pytest.mark.django_db(transaction=True)

office = AdminSite(name="office")
office.register(Invoice, InvoiceAdmin)
office.register(WebhookEvent, WebhookEventAdmin)
office.register(Overview, OverviewAdmin)
plain = AdminSite(name="admin")
plain.register(User)
urlpatterns = [
    path("admin/", plain.urls),
    path("office/", office.urls),
    path("altoviz/", include("django_altoviz.urls")),
]
HERE = "/office/django_altoviz/"


@pytest.fixture
def root(settings):
    settings.ROOT_URLCONF = __name__
    closed = {"API_KEY": "key", "BASE_URL": "http://127.0.0.1:1"}
    settings.ALTOVIZ = settings.ALTOVIZ | closed
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def test_each_button_leads_back_to_its_own_site(post, root):
    post(body_of("InvoiceUpdated", id=7))
    invoice, event = Invoice.objects.get(), WebhookEvent.objects.get()
    page = f"{HERE}invoice/{invoice.pk}/change/"
    assert root.get(page).status_code == 200
    for method, url, data, target in (
        ("post", f"invoice/{invoice.pk}/refetch/", {"confirmed": "1"}, page),
        ("get", f"invoice/{invoice.pk}/pdf/", {}, page),
        ("get", f"invoice/{invoice.pk}/history/", {}, page),
        ("post", "invoice/export/?x=y", {}, f"{HERE}invoice/"),
        ("post", f"webhookevent/{event.pk}/process/", {}, f"{HERE}webhookevent/{event.pk}/change/"),
    ):
        answer = getattr(root, method)(f"{HERE}{url}", data)
        assert (answer.status_code, answer.headers["Location"]) == (302, target)


def test_an_account_without_settings_breaks_no_page(post, root, settings):
    """An environment variable that is not set makes its settings ``None``, for example."""
    post(body_of("InvoiceUpdated", id=7))
    settings.ALTOVIZ = settings.ALTOVIZ | {"ACCOUNTS": {"acme": None, "other": 5}}
    invoice = Invoice.objects.get()
    for url in ("overview/", "invoice/", f"invoice/{invoice.pk}/change/", "webhookevent/"):
        assert root.get(f"{HERE}{url}").status_code == 200, url
    act = f"{HERE}overview/act/"
    assert root.post(act, {"action": "ask"}).status_code == 200
    for account in ("acme", "other"):
        data = {"action": "sync", "account": account, "confirmed": "yes"}
        assert root.post(act, data).status_code in (302, 404)

"""Tools for projects to test their receivers: ``post_event`` and the pytest fixtures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.urls import NoReverseMatch

from django_altoviz.event_types import SENT_TYPES, EventType
from django_altoviz.models import Customer, Invoice, Status, WebhookEvent
from django_altoviz.samples import sample
from django_altoviz.signals import invoice_created
from django_altoviz.testing import event_body, post_event

ROOT = Path(__file__).parents[2]


class TestBody:
    @pytest.mark.parametrize("event_type", SENT_TYPES)
    def test_a_body_is_a_sample_with_a_new_id(self, event_type):
        first, second = (json.loads(event_body(event_type)) for _ in range(2))
        assert first["type"] == event_type
        assert first["data"] == second["data"]
        assert first["id"] != second["id"]

    def test_fields_can_be_changed(self):
        body = event_body("InvoiceCreated", event_id="evt_1", number="FA7", internalId=None)
        read = json.loads(body)
        assert read["id"] == "evt_1"
        assert (read["data"]["number"], read["data"]["internalId"]) == ("FA7", None)

    def test_a_nested_field_can_be_changed_alone(self):
        data = json.loads(event_body("CustomerCreated", billingAddress={"city": "Brest"}))["data"]
        expected = sample(EventType.CUSTOMER_CREATED).data["billingAddress"]
        assert data["billingAddress"] == expected | {"city": "Brest"}
        data = json.loads(event_body("CustomerCreated", shippingAddress={"city": "Brest"}))["data"]
        assert data["shippingAddress"] == {"city": "Brest"}

    def test_numbers_stay_exact(self):
        assert b'"unitPrice": 184.9,' in event_body("ProductCreated")

    def test_a_type_that_altoviz_does_not_send_is_refused(self):
        with pytest.raises(ValueError, match="ReceiptCreated"):
            event_body("ReceiptCreated")
        with pytest.raises(ValueError, match="a sync brings credits in"):
            event_body("CreditCreated")


@pytest.mark.django_db
class TestPosting:
    def test_an_event_arrives_as_if_altoviz_had_sent_it(self):
        assert post_event("InvoiceCreated", number="FA7").status_code == 200
        event = WebhookEvent.objects.get()
        assert (event.status, event.arrival["content_type"]) == (
            Status.PROCESSED,
            "text/plain; charset=utf-8",
        )
        assert Invoice.objects.get().number == "FA7"

    def test_an_event_can_go_to_another_account(self):
        assert post_event(EventType.CUSTOMER_CREATED, account="acme").status_code == 200
        assert Customer.objects.get().account == "acme"

    def test_a_whole_body_can_be_posted(self):
        body = event_body("CustomerCreated")
        assert post_event(body).json()["status"] == "stored"
        assert post_event(body).json()["status"] == "known"
        assert post_event(b"<ping/>").status_code == 400

    def test_another_test_client_can_be_passed(self):
        client = Client(enforce_csrf_checks=True, headers={"x-forwarded-for": "192.0.2.1"})
        assert post_event("CustomerCreated", client=client).status_code == 200

    def test_without_a_secret_the_error_names_the_setting(self, settings):
        settings.ALTOVIZ = {}
        with pytest.raises(ImproperlyConfigured, match='"default" has no WEBHOOK_SECRET'):
            post_event("CustomerCreated")

    def test_without_a_route_there_is_an_error(self, settings):
        settings.ROOT_URLCONF = "tests.urls_without"
        with pytest.raises(NoReverseMatch):
            post_event("CustomerCreated")


@pytest.mark.django_db
class TestFixtures:
    def test_an_event_that_is_not_stored_is_answered_503(self, post_altoviz_event, monkeypatch):
        def fail(event):
            raise RuntimeError("not stored")

        monkeypatch.setattr(WebhookEvent.with_pruned, "store", fail)
        assert post_altoviz_event("CustomerCreated").status_code == 503

    @pytest.mark.parametrize("fixture", ["post_altoviz_event", "fake_altoviz"])
    def test_events_are_processed_at_once_whatever_the_dispatcher_is(
        self, request, settings, fixture
    ):
        celery = {"DISPATCHER": "django_altoviz.dispatchers.celery"}
        settings.ALTOVIZ = settings.ALTOVIZ | celery
        found = request.getfixturevalue(fixture)
        if fixture == "fake_altoviz":
            found.customers.create(companyName="A")
            found.wait()
        else:
            found("CustomerCreated")
        assert {event.status for event in WebhookEvent.objects.all()} == {Status.PROCESSED}

    def test_post_altoviz_event_posts_an_event(self, post_altoviz_event):
        assert post_altoviz_event("CustomerCreated", email="a@b.example").status_code == 200
        assert Customer.objects.get().email == "a@b.example"

    def test_the_fake_delivers_into_the_tests_transaction(self, fake_altoviz):
        invoice = fake_altoviz.invoices.create()
        assert not Invoice.objects.exists()
        assert all(delivery.was_accepted for delivery in fake_altoviz.wait())
        assert Invoice.objects.get().customer.altoviz_id == invoice["customerId"]

    def test_the_settings_point_to_the_fake(self, fake_altoviz):
        from django_altoviz.client import AltovizClient

        customer = fake_altoviz.customers.create()["id"]
        with AltovizClient.for_account() as client:
            assert client.customers.get(customer)["id"] == customer
            (webhook,) = client.webhooks.all()
        assert webhook["url"] == "http://testserver/altoviz/webhook/"

    def test_changes_that_a_receiver_makes_at_the_fake_are_delivered_too(self, fake_altoviz):
        def finalize(instance, **kwargs):
            fake_altoviz.invoices.finalize(instance.altoviz_id)

        invoice_created.connect(finalize)
        try:
            fake_altoviz.invoices.create()
            types = [delivery.type for delivery in fake_altoviz.wait()]
        finally:
            invoice_created.disconnect(finalize)
        assert types[-1] == EventType.INVOICE_UPDATED
        assert Invoice.objects.get().is_draft is False

    def test_the_content_type_arrives_as_sent(self, fake_altoviz):
        fake_altoviz.behave(content_type=None)
        fake_altoviz.products.create()
        assert fake_altoviz.wait()[0].status == 200
        assert WebhookEvent.objects.get().arrival["content_type"] == ""


def test_the_fixtures_need_no_secret_in_the_settings(pytester_project):
    result = pytester_project("ALTOVIZ = {}", "-k", "not forgotten")
    result.assert_outcomes(passed=2)


def test_a_test_that_may_not_use_the_database_says_so(pytester_project):
    result = pytester_project("ALTOVIZ = {}", "-k", "forgotten")
    result.assert_outcomes(failed=1, deselected=2)
    result.stdout.fnmatch_lines(["*Database access not allowed*"])


def test_the_plugin_is_opt_in(pytester_project):
    result = pytester_project("ALTOVIZ = {}", "-k", "not forgotten", opt_in=False)
    result.stdout.fnmatch_lines(["*fixture 'fake_altoviz' not found*"])
    result.assert_outcomes(errors=2)


@pytest.fixture
def pytester_project(pytester, monkeypatch):
    """Return a function that runs the tests of another project, which use the fixtures."""
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(altoviz, *options, opt_in=True):
        pytester.makepyfile(
            project="from tests.settings import *\n" + altoviz,
            test_it="""
                import pytest
                from django_altoviz.models import Product

                @pytest.mark.django_db
                def test_fake(fake_altoviz):
                    fake_altoviz.products.create(name="Vis")
                    fake_altoviz.wait()
                    assert Product.objects.get().name == "Vis"

                @pytest.mark.django_db
                def test_post(fake_altoviz, post_altoviz_event):
                    assert post_altoviz_event("ProductCreated").status_code == 200

                def test_with_a_forgotten_mark(post_altoviz_event):
                    post_altoviz_event("ProductCreated")
            """,
        )
        if opt_in:
            pytester.makeconftest('pytest_plugins = ["django_altoviz.pytest_plugin"]')
        return pytester.runpytest_subprocess(
            "--ds=project", "--nomigrations", "-p", "no:cacheprovider", *options
        )

    return run

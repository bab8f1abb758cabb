"""Measure a page of the REST API beside a viewset that a project would write by hand.

    python benchmarks/api.py [--rounds 15]

Both show 100 invoices of a database of 2,000, with their customers and lines, on SQLite. The figures are
the CPU time of the process in milliseconds, the median of the rounds, which take turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
INVOICES, PAGE = 2_000, 100


def set_up(directory):
    import django
    from django.conf import settings
    from django.core.management import call_command

    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": directory / "db"}},
        SECRET_KEY="of the benchmark",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "rest_framework",
            "django_altoviz",
        ],
        ALTOVIZ={"WEBHOOK_SECRET": "secret of the benchmark"},
        ROOT_URLCONF="django_altoviz.api.urls",
        ALLOWED_HOSTS=["testserver"],
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)


def fill():
    from django_altoviz.event_types import EventType
    from django_altoviz.models import WebhookEvent
    from django_altoviz.processing import process
    from django_altoviz.samples import new_event_id, sample, to_body

    for number in range(1, INVOICES + 1):
        for event_type in (EventType.CUSTOMER_CREATED, EventType.INVOICE_UPDATED):
            named = sample(event_type)
            data = named.data | {"id": number, "customerId": number}
            body = to_body(type(named)(new_event_id(), named.type, data))
            event = WebhookEvent.from_delivery(body, "default", {})
            process(WebhookEvent.with_pruned.store(event))


def views():
    """Return a view of ours, and one of a viewset with all columns, by name."""
    from rest_framework import serializers, viewsets
    from rest_framework.pagination import CursorPagination

    from django_altoviz.api.views import InvoiceViewSet
    from django_altoviz.models import Customer, Invoice, InvoiceLine

    class ByHand(viewsets.ReadOnlyModelViewSet):
        class Pages(CursorPagination):
            page_size, ordering = PAGE, "-altoviz_id"

        class Serializer(serializers.ModelSerializer):
            class Customers(serializers.ModelSerializer):
                class Meta:
                    model, exclude = Customer, ["data", "search_text", "fingerprint"]

            class Lines(serializers.ModelSerializer):
                product = serializers.CharField(source="product_id")

                class Meta:
                    model, exclude = InvoiceLine, ["data", "invoice"]

            customer, lines = Customers(), Lines(many=True)

            class Meta:
                model, exclude = Invoice, ["data", "search_text", "fingerprint"]

        queryset = Invoice.objects.defer("data").prefetch_related("customer", "lines")
        serializer_class, pagination_class = Serializer, Pages

    return {
        "ours": InvoiceViewSet.as_view({"get": "list"}),
        "by hand": ByHand.as_view({"get": "list"}),
    }


def measure(rounds):
    from django.contrib.auth.models import User
    from rest_framework.test import APIRequestFactory, force_authenticate

    user = User.objects.create_superuser("root")
    times = {name: [] for name in views()}
    for _ in range(rounds):
        for name, view in views().items():
            query = {"expand": "customer,lines"} if name == "ours" else {}
            request = APIRequestFactory().get("/", query)
            force_authenticate(request, user)
            began = time.process_time()
            answer = view(request).render()
            times[name].append(time.process_time() - began)
            assert answer.status_code == 200 and len(answer.data["results"]) == PAGE
    return {name: statistics.median(found) * 1000 for name, found in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        set_up(Path(directory))
        fill()
        found = measure(options.rounds)
    for name, milliseconds in found.items():
        print(f"{name:8} {milliseconds:6.1f} ms")
    print(f"ratio    {found['ours'] / found['by hand']:6.2f}")


if __name__ == "__main__":
    main()

"""Measure the admin pages over a large database.

    python benchmarks/admin.py [--database postgres] [--events 1000000] [--scale 1] [--keep]

With ``--scale 1`` there are 60,000 customers, 50,000 contacts, 20,000 products, 50,000 invoices and
20,000 quotes with three lines each. The events came in over two years; one invoice has 500 of them.
Each page is called by Django's test client, ``--runs`` times; the figures are the best wall time and
the best CPU time of the process in milliseconds, and the number of queries. ``--keep`` keeps the
database, and uses one that is there.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import json
import os
import random
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

NAME = os.environ.get("DATABASE_NAME", "altoviz_benchmark_admin")
DAYS = 730
BATCH = 2000
ROWS = {
    "customer": 60_000,
    "contact": 50_000,
    "product": 20_000,
    "invoice": 50_000,
    "quote": 20_000,
}
FIRST_ID = {
    "customer": 1,
    "contact": 100_001,
    "product": 200_001,
    "invoice": 500_001,
    "quote": 600_001,
}
TOWNS = ["Lyon", "Saint-Étienne", "Paris", "Besançon", "Lille", "Nîmes", "Évreux", "Brest"]
NAMES = ["Martin", "Bernard", "Brûlé", "Durand", "Moreau", "Lefèvre", "Gauthier", "Échaudé"]
STATUSES = [
    ("failed", 400),
    ("dead", 250),
    ("ignored", 100),
    ("malformed", 4000),
    ("pending", 5000),
]


def set_up(database):
    import django
    from django.conf import settings

    file = Path(tempfile.gettempdir()) / f"{NAME}.sqlite3"
    databases = {
        "sqlite": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(file),
            "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"},
            "TEST": {"NAME": str(file)},
        },
        "postgres": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": NAME,
            "HOST": os.environ.get("PGHOST", "127.0.0.1"),
            "USER": os.environ.get("PGUSER", "postgres"),
            "PASSWORD": os.environ.get("PGPASSWORD", ""),
            "TEST": {"NAME": NAME},
        },
    }
    settings.configure(
        DATABASES={"default": databases[database]},
        SECRET_KEY="of the benchmark",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "django.contrib.staticfiles",
            "django_altoviz",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        ROOT_URLCONF="tests.urls",
        STATIC_URL="static/",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        TIME_ZONE="Europe/Paris",
        ALTOVIZ={"WEBHOOK_SECRET": "secret-of-the-benchmark"},
        LOGGING_CONFIG=None,
    )
    django.setup()


def fill(events, scale):
    numbers = {name: max(int(rows * scale), 5) for name, rows in ROWS.items()}
    for entity, number in numbers.items():
        fill_mirror(entity, number, numbers["customer"])
    fill_events(events, numbers)


def fill_mirror(entity, number, customers):
    """Store rows that differ from the sample in what the lists show, filter and search."""
    from django.utils import timezone

    from django_altoviz.event_types import EventType
    from django_altoviz.models import MIRRORS
    from django_altoviz.models.mirrors.relations import key_of
    from django_altoviz.samples import sample

    model = MIRRORS[entity]
    data = sample(EventType(f"{entity.title()}Updated")).data
    template = model(account="default", last_event_id=0, synced_at=timezone.now())
    template._apply(data, json.dumps(data, default=str))
    chance = random.Random(entity)
    today = datetime.date.today()
    for start in range(0, number, BATCH):
        rows = []
        for index in range(start, min(start + BATCH, number)):
            row = copy.copy(template)
            row._state = copy.copy(template._state)
            row.altoviz_id = FIRST_ID[entity] + index
            row.key = key_of("default", row.altoviz_id)
            if chance.random() < 0.01:
                row.deleted_at = timezone.now()
            differ(row, entity, index, chance, customers, today)
            rows.append(row)
        model.with_deleted.bulk_create(rows)
        if entity in ("invoice", "quote"):
            fill_lines(template, rows)


def differ(row, entity, index, chance, customers, today):
    name = f"{chance.choice(NAMES)} {chance.choice(TOWNS)} {index}"
    if entity == "customer":
        row.number, row.name, row.email = f"C{index:06}", name, f"c{index}@example.com"
        row.billing_city = chance.choice(TOWNS)
    elif entity == "contact":
        row.display_name, row.last_name, row.email = name, name.split()[0], f"p{index}@example.com"
    elif entity == "product":
        row.number, row.name = f"REF-{index:06}", f"Pièce {name}"
    else:
        row.number = f"{'FA' if entity == 'invoice' else 'DE'}{index:06}"
        row.date = today - datetime.timedelta(days=chance.randrange(DAYS))
        row.customer_altoviz_id = FIRST_ID["customer"] + chance.randrange(customers)
        row.customer_id = f"default:{row.customer_altoviz_id}"
        row.customer_name = name
        row.tax_excluded_amount = Decimal(chance.randrange(1_000_000)) / 100
        row.tax_included_amount = row.tax_excluded_amount * Decimal("1.2")
        if entity == "invoice":
            row.is_paid = chance.random() < 0.8
            row.is_draft = chance.random() < 0.05
            row.is_cancelled = chance.random() < 0.02
            row.balance = Decimal(0) if row.is_paid else row.tax_included_amount
            is_due = not (row.is_paid or row.is_draft or row.is_cancelled)
            row.next_due_date = row.date + datetime.timedelta(days=30) if is_due else None


def fill_lines(template, rows):
    lines = []
    for row in rows:
        for position in range(3):
            line = copy.copy(template._pending_lines()[0])
            line._state = copy.copy(line._state)
            setattr(line, row._meta.model_name, row)
            line.position = position
            lines.append(line)
    type(lines[0]).objects.bulk_create(lines)


def fill_events(number, numbers):
    """Store processed events by the app, and copy them to other objects, types and times in SQL."""
    from django.db import connection, transaction

    from django_altoviz.event_types import EventType
    from django_altoviz.models import WebhookEvent
    from django_altoviz.processing import process
    from django_altoviz.samples import sample, to_body

    usual = ["InvoiceUpdated"] * 6 + ["CustomerUpdated"] * 4 + ["ContactUpdated"] * 2
    usual += ["InvoiceCreated", "CustomerCreated", "ProductUpdated", "QuoteUpdated", "QuoteCreated"]
    templates = []
    for index, name in enumerate(usual * 3):
        envelope = sample(EventType(name))
        data = envelope.data | {"id": 900_000_000 + index}
        event = WebhookEvent.from_delivery(
            to_body(type(envelope)(f"evt_t{index}", name, data)), "default", {"address": "::1"}
        )
        event.save()
        process(event)
        templates.append(WebhookEvent.objects.get(pk=event.pk))
    for each in templates:
        each._meta.model.objects.filter(pk=each.pk).delete()
    start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=DAYS)
    chance = random.Random(1)
    for first in range(0, number, BATCH):
        events = []
        for index in range(first, min(first + BATCH, number)):
            event = copy.copy(templates[index % len(templates)])
            event._state = copy.copy(event._state)
            event.pk, event._state.adding = None, True
            event.event_id = f"evt_{index}"
            event.dedupe_key = WebhookEvent(account="default")._dedupe_key(
                "id", event.event_id.encode()
            )
            rows = numbers[event.entity]
            event.object_id = FIRST_ID[event.entity] + chance.randrange(rows)
            if event.entity == "invoice" and index < 1500:
                event.object_id = FIRST_ID["invoice"]
            event.received_at = start + datetime.timedelta(days=DAYS) * (index / number)
            event.settled_at = event.received_at
            vary(event, index)
            events.append(event)
        with transaction.atomic():
            WebhookEvent.with_pruned.bulk_create(events)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def vary(event, index):
    found = (status for status, every in STATUSES if index % every == every - 1)
    event.status = next(found, event.status)
    vary_state(event, index)
    if index % 900 == 1:
        event.source = "sync"
    if index % 20_000 == 2:
        event.type, event.entity, event.status = "ReceiptCreated", "", "ignored"
    if index % 100_000 == 3:
        event.type = event.type.replace("Updated", "Deleted").replace("Created", "Deleted")


def vary_state(event, index):
    if event.status in ("failed", "pending"):
        event.settled_at = None
    if event.status in ("failed", "dead"):
        receiver = ["shop.receivers.book", "shop.receivers.mail"][index % 2]
        event.error = f"{receiver}:\nTraceback\nConnectionError: no answer from {index}\n"
        event.cause = f"{receiver}: ConnectionError"
    if event.status == "failed":
        event.next_attempt_at = event.received_at + datetime.timedelta(days=3650)


def pages():
    """Return the pages to measure, by a name."""
    from django.urls import reverse

    from django_altoviz.models import MIRRORS, SyncRun, WebhookEvent

    def url(model, page, *args):
        return reverse(f"admin:django_altoviz_{model._meta.model_name}_{page}", args=args)

    overview = reverse("admin:django_altoviz_overview_changelist")
    found = {"index": reverse("admin:index"), "overview": overview}
    events = url(WebhookEvent, "changelist")
    day = (datetime.date.today() - datetime.timedelta(days=365)).isoformat()
    next_day = (datetime.date.today() - datetime.timedelta(days=364)).isoformat()
    today = datetime.date.today().isoformat()
    lists = {
        events: {
            "": "",
            "page 2": "?p=2",
            "page 100": "?p=100",
            **{f"status {name}": f"?status__exact={name}" for name, _ in STATUSES},
            "status processed": "?status__exact=processed",
            "status processing (none)": "?status__exact=processing",
            "type InvoiceUpdated": "?type=InvoiceUpdated",
            "type ProductDeleted (rare or none)": "?type=ProductDeleted",
            "type other (rare)": "?type=other",
            "entity quote": "?entity__exact=quote",
            "source sync": "?source__exact=sync",
            "source sync, failed": "?source__exact=sync&status__exact=failed",
            "type and failed": "?type=QuoteUpdated&status__exact=failed",
            "today": f"?received_at__gte={today}",
            "a past day": f"?received_at__gte={day}&received_at__lt={next_day}",
            "a past day, processed": f"?received_at__gte={day}&received_at__lt={next_day}"
            "&status__exact=processed",
            "search id": "?q=evt_777",
            "search object": f"?q={FIRST_ID['invoice']}",
            "search nothing": "?q=nothing",
        }
    }
    for entity, term in {
        "customer": "C012345",
        "contact": "p12345@",
        "product": "REF-012345",
        "invoice": "FA012345",
        "quote": "DE012345",
    }.items():
        model = MIRRORS[entity]
        number = FIRST_ID[entity] + 3
        lists[url(model, "changelist")] = {
            "": "",
            "page 100": "?p=100",
            f"search {term}": f"?q={term}",
            "search Martin": "?q=martin",
            "search Brûlé Lyon": "?q=brûlé+lyon",
            "search id": f"?q={number}",
            "search nothing": "?q=zzzzzz",
            "deleted": "?deleted=yes",
            "all": "?deleted=all",
            **{f"order by {n}": f"?o={n}" for n in range(1, 9)},
        }
    lists[url(MIRRORS["invoice"], "changelist")] |= {
        "unpaid": "?is_paid__exact=0",
        "drafts": "?is_draft__exact=1",
        "cancelled": "?is_cancelled__exact=1",
        "this year": f"?date__gte={datetime.date.today().year}-01-01",
    }
    for path, queries in lists.items():
        for name, query in queries.items():
            found[f"{path.split('/')[-2]}: {name or 'list'}"] = path + query
    for entity, model in MIRRORS.items():
        rows = model.with_deleted.order_by("altoviz_id")
        if entity in ROWS:
            found[f"{entity} page"] = url(model, "change", rows[3].pk)
    many = MIRRORS["invoice"].with_deleted.get(altoviz_id=FIRST_ID["invoice"])
    found["invoice page, 500 events"] = url(type(many), "change", many.pk)
    stored = WebhookEvent.with_pruned.order_by("pk")
    found["event page"] = url(WebhookEvent, "change", stored[5].pk)
    found["event page, dead"] = url(WebhookEvent, "change", stored.filter(status="dead")[0].pk)
    found["syncs: list"] = url(SyncRun, "changelist")
    return found


def measure(url, client, runs):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as capture:
        answer = client.get(url)
    queries = [*capture.captured_queries]  # the next request begins another list
    assert answer.status_code in (200, 302), (url, answer.status_code)
    wall, cpu = [], []
    for _ in range(runs):
        started, processor = time.perf_counter(), time.process_time()
        client.get(url)
        wall.append((time.perf_counter() - started) * 1000)
        cpu.append((time.process_time() - processor) * 1000)
    slowest = max(queries, key=lambda each: float(each["time"]), default=None)
    return {
        "status": answer.status_code,
        "ms": min(wall),
        "cpu": min(cpu),
        "queries": len(queries),
        "slowest": float(slowest["time"]) * 1000 if slowest else 0.0,
        "sql": slowest["sql"] if slowest else "",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--only", default="", help="the pages whose name contains this")
    parser.add_argument("--above", type=float, default=0, help="show only pages slower than this")
    parser.add_argument("--sql", action="store_true", help="show the slowest statement of each")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    options = parser.parse_args()
    set_up(options.database)
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import setup_test_environment

    from django_altoviz.models import WebhookEvent

    setup_test_environment()
    connection.creation.create_test_db(
        verbosity=0, autoclobber=True, keepdb=options.keep, serialize=False
    )
    try:
        if not WebhookEvent.with_pruned.exists():
            fill(options.events, options.scale)
        user, _ = User.objects.get_or_create(username="reader", is_staff=True, is_superuser=True)
        client = Client()
        client.force_login(user)
        figures = {}
        for name, url in pages().items():
            if options.only in name:
                figures[name] = found = measure(url, client, options.runs)
                if options.format == "text" and found["ms"] >= options.above:
                    print(
                        f"{name:45} {found['ms']:7.0f} ms  {found['cpu']:6.0f} CPU  "
                        f"{found['slowest']:6.0f} SQL  {found['queries']:2}",
                        flush=True,
                    )
                    if options.sql:
                        print("   ", found["sql"][:1500])
        if options.format == "json":
            print(json.dumps(figures))
    finally:
        if not options.keep:
            connection.creation.destroy_test_db(None, verbosity=0)


if __name__ == "__main__":
    main()

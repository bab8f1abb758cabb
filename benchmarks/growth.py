"""Measure what each step costs as the table of events grows.

    python benchmarks/growth.py [--database postgres] [--sizes 0 100000 1000000] [--drain 5000]

Of the stored events, one in twenty (50,000 at most) has failed and waits for its retry. They came in
over the last 120 days, and a third of them is older than ``RETENTION_DAYS``. Each figure is the median
of several runs, in milliseconds of wall time; that of the drain is per event.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SECRET = "secret-of-the-benchmark"
RUNS = 7
BATCH = 50_000
FAILED = 20  # one in this many
MOST_FAILED = 50_000
DAYS = 120
NAME = os.environ.get("DATABASE_NAME", "altoviz_benchmark_growth")
KEYS = {
    "sqlite": "lower(hex(randomblob(16)))",
    "postgresql": "md5(random()::text || source.id || clock_timestamp())::uuid",
    "mysql": "UUID()",
}
STEPS = {
    "delivery, deferred": "a delivery that is stored",
    "delivery, inline": "a delivery that is stored and processed, with one receiver",
    "redelivery": "a redelivery of an event that waits for its retry",
    "look": "altoviz_process_events with nothing due",
    "drain": "altoviz_process_events, per event",
    "status": "altoviz_status",
    "prune": "altoviz_prune_events --dry-run",
}


def set_up(database):
    import django
    from django.conf import settings

    file = Path(tempfile.gettempdir()) / f"{NAME}.sqlite3"
    databases = {
        "sqlite": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(file),
            "OPTIONS": {
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
                "transaction_mode": "IMMEDIATE",
            },
            "TEST": {"NAME": str(file)},
        },
        "postgres": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": NAME,
            "HOST": os.environ.get("PGHOST", "127.0.0.1"),
            "USER": os.environ.get("PGUSER", "postgres"),
            "PASSWORD": os.environ.get("PGPASSWORD", ""),
        },
        "mariadb": {
            "ENGINE": "django.db.backends.mysql",
            "NAME": NAME,
            "HOST": os.environ.get("MYSQL_HOST", "127.0.0.1"),
            "USER": os.environ.get("MYSQL_USER", "root"),
            "PASSWORD": os.environ.get("MYSQL_PASSWORD", ""),
            "OPTIONS": {"charset": "utf8mb4"},
            "TEST": {"CHARSET": "utf8mb4"},
        },
    }
    settings.configure(
        DATABASES={"default": databases[database]},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_altoviz"],
        ROOT_URLCONF="django_altoviz.urls",
        MIDDLEWARE=[],
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        ALTOVIZ={
            "WEBHOOK_SECRET": SECRET,
            "ACCOUNTS": {"acme": {"WEBHOOK_SECRET": f"{SECRET}-acme"}},
        },
        LOGGING_CONFIG=None,
    )
    django.setup()


class Growth:
    """The steps to measure, on events that differ in their object."""

    def __init__(self):
        from django.test import Client

        from django_altoviz.event_types import EventType
        from django_altoviz.samples import sample
        from django_altoviz.signals import customer_updated

        self.sample = sample(EventType.CUSTOMER_UPDATED)
        self.numbers = itertools.count(10**9)
        self.client = Client()
        customer_updated.connect(self.receive, dispatch_uid="receiver")

    def receive(self, **kwargs):
        pass

    def body(self):
        from django_altoviz.exact_json import dumps_utf8

        number = next(self.numbers)
        data = self.sample.data | {"id": number}
        envelope = {"id": f"evt_{number}", "type": "CustomerUpdated", "data": data}
        return dumps_utf8(envelope)

    def post(self, body, dispatcher="deferred"):
        from django.conf import settings

        from django_altoviz.intake import signing

        settings.ALTOVIZ["DISPATCHER"] = f"django_altoviz.dispatchers.{dispatcher}"
        headers = {"X-SIGNATURE": signing.sign(body, SECRET)}
        answer = self.client.post("/webhook/", body, "text/plain", headers=headers)
        assert answer.status_code == 200, answer.content

    def fill(self, size):
        """Store copies of processed events until there are ``size``."""
        from django.db import connection
        from django.db.models import F
        from django.utils import timezone

        from django_altoviz.models import WebhookEvent

        events = WebhookEvent.with_pruned.all()
        while size and not events.filter(status="processed").exists():
            self.post(self.body(), "inline")
        table = WebhookEvent._meta.db_table
        columns = [field.column for field in WebhookEvent._meta.concrete_fields]
        columns.remove("id")
        chosen = {"dedupe_key": KEYS[connection.vendor], "object_id": "object_id + id"}
        selected = ", ".join(chosen.get(name, name) for name in columns)
        while (left := size - events.count()) > 0:
            with connection.cursor() as cursor:
                cursor.execute(
                    f"INSERT INTO {table} ({', '.join(columns)}) SELECT {selected} FROM "
                    f"(SELECT * FROM {table} WHERE status = 'processed' LIMIT {min(left, BATCH)}) "
                    "AS source"
                )
        if not size:
            return
        first = events.order_by("pk").values_list("pk", flat=True).first()
        now = timezone.now()
        for number in range(0, size, BATCH):
            part = events.filter(pk__gte=first + number, pk__lt=first + number + BATCH)
            part.update(received_at=now - datetime.timedelta(days=DAYS * (1 - number / size)))
        every = max(FAILED, size // MOST_FAILED)
        failed = events.annotate(rest=F("pk") % every).filter(rest=0)
        failed.update(
            status="failed",
            mirrored_at=None,
            settled_at=None,
            next_attempt_at=now + datetime.timedelta(hours=5),
        )
        for number in range(0, size, BATCH):
            part = failed.filter(pk__gte=first + number, pk__lt=first + number + BATCH)
            for second, event in enumerate(part):
                event.next_attempt_at += datetime.timedelta(seconds=number + second)
                event.save(update_fields=["next_attempt_at"])
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE" + (f" TABLE {table}" if connection.vendor == "mysql" else ""))

    def measure(self, drained):
        figures = {
            "delivery, deferred": self.timed(lambda body: self.post(body), self.body),
            "look": self.timed(lambda _: self.look(), self.settle),
            "delivery, inline": self.timed(lambda body: self.post(body, "inline"), self.body),
            "redelivery": self.timed(self.post, self.failed),
            "status": self.timed(lambda _: self.call("altoviz_status")),
            "prune": self.timed(lambda _: self.call("altoviz_prune_events", "--dry-run")),
        }
        return figures | {"drain": self.drain(drained)}

    def timed(self, step, prepare=lambda: None):
        step(prepare())  # without what is done only once
        times = []
        for _ in range(RUNS):
            prepared = prepare()
            started = time.perf_counter()
            step(prepared)
            times.append(time.perf_counter() - started)
        return statistics.median(times) * 1000

    def settle(self):
        from django_altoviz.processing import drain

        for _event in drain():
            pass

    def failed(self):
        from django.utils import timezone

        from django_altoviz.models import WebhookEvent

        body = self.body()
        self.post(body)
        later = timezone.now() + datetime.timedelta(hours=5)
        newest = WebhookEvent.objects.order_by("-pk")[:1]
        WebhookEvent.objects.filter(pk=newest.get().pk).update(
            status="failed", next_attempt_at=later
        )
        return body

    def look(self):
        from django_altoviz.processing import drain

        assert [*drain()] == []

    def call(self, *arguments):
        from django.core.management import call_command

        with open(os.devnull, "w") as nowhere:
            call_command(*arguments, stdout=nowhere)

    def drain(self, number):
        for _ in range(number):
            self.post(self.body())
        started = time.perf_counter()
        self.settle()
        return (time.perf_counter() - started) / number * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--database", choices=["sqlite", "postgres", "mariadb"], default="sqlite")
    parser.add_argument("--sizes", type=int, nargs="+", default=[0, 100_000, 1_000_000])
    parser.add_argument("--drain", type=int, default=5000)
    parser.add_argument("--format", choices=["text", "json"], default="text")
    options = parser.parse_args()
    set_up(options.database)
    from django.db import connection
    from django.test.utils import setup_test_environment

    setup_test_environment()
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    growth, figures = Growth(), {}
    try:
        for size in options.sizes:
            growth.fill(size)
            figures[size] = growth.measure(options.drain)
            if options.format == "text":
                shown = ", ".join(f"{name} {ms:.1f}" for name, ms in figures[size].items())
                print(f"{options.database}, {size}: {shown}", flush=True)
    finally:
        connection.creation.destroy_test_db(None, verbosity=0)
    if options.format == "json":
        print(json.dumps(figures))


if __name__ == "__main__":
    main()

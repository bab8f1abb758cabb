"""Compare a first sync and an unchanged second sync with a bare ``bulk_create``.

    python benchmarks/sync.py [--database postgres] [--customers 100000] [--invoices 20000]

A separate process on loopback plays Altoviz; it has every page ready and no rate limit. The bare rate
is that of Django's ``bulk_create(update_conflicts=True)`` with the same rows. They are built before
the clock starts, and nothing is read, decoded or compared. Each measurement runs in its own process
and reports its peak memory and its CPU time. Compare the CPU times if the machine has other work.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PAGE = 100
BATCH = 1000
LINES = 5
BARE, IMPORT, AGAIN = "bare bulk_create", "first sync", "second sync"


def set_up(database, base_url=""):
    import django
    from django.conf import settings

    databases = {
        "sqlite": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(Path(tempfile.gettempdir()) / "altoviz_benchmark_sync.sqlite3"),
            "OPTIONS": {
                "init_command": "PRAGMA journal_mode=WAL;",
                "transaction_mode": "IMMEDIATE",
            },
        },
        "postgres": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ.get("DATABASE_NAME", "altoviz_benchmark_sync"),
            "HOST": os.environ.get("PGHOST", "127.0.0.1"),
            "USER": os.environ.get("PGUSER", "postgres"),
            "PASSWORD": os.environ.get("PGPASSWORD", ""),
        },
    }
    settings.configure(
        DATABASES={"default": databases[database]},
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_altoviz"],
        USE_TZ=True,
        ALTOVIZ={
            "API_KEY": "benchmark",
            "BASE_URL": base_url,
            "API_REQUESTS_PER_MINUTE": 10**9,
        },
    )
    django.setup()


def objects_of(entity, numbers):
    """Yield objects in the shape of the samples, each a little different."""
    from django_altoviz.event_types import EventType
    from django_altoviz.samples import sample

    if entity == "customer":
        data = sample(EventType.CUSTOMER_UPDATED).data
        for n in numbers:
            yield data | {"id": n, "number": f"C{n:06}", "name": f"Customer {n}"}
        return
    data = sample(EventType.INVOICE_UPDATED).data
    line = data["lines"][1]
    for n in numbers:
        lines = [line | {"id": n * LINES + k, "product": None} for k in range(LINES)]
        yield data | {"id": n, "number": f"FA{n:06}", "lines": lines}


def serve(database, entity, count, connection):
    """Serve the lists as Altoviz does, with every page ready before the first request."""
    set_up(database)
    from django_altoviz import exact_json

    starts = range(1, count + 1, PAGE)
    pages = [
        exact_json.dumps([*objects_of(entity, range(n, min(n + PAGE, count + 1)))]).encode()
        for n in starts
    ]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            number = int(parse_qs(urlsplit(self.path).query)["PageIndex"][0])
            body = pages[number - 1]
            head = (
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                f"x-page-count: {len(pages)}\r\nx-record-count: {count}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            self.wfile.write(head.encode() + body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    connection.send(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()


def create_database(database):
    set_up(database)
    from django.core.management import call_command
    from django.db import connection

    if database == "sqlite":
        Path(connection.settings_dict["NAME"]).unlink(missing_ok=True)
    else:
        name = connection.settings_dict["NAME"]
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
            cursor.execute(f'CREATE DATABASE "{name}"')
    call_command("migrate", verbosity=0)


def empty(model):
    from django_altoviz.models import InvoiceLine, SyncRun

    for each in (model, InvoiceLine, SyncRun):
        each._base_manager.all().delete()


def bare(entity, count):
    """Return the seconds and the CPU seconds of ``bulk_create`` alone."""
    from django_altoviz.event_types import Entity
    from django_altoviz.models import MIRRORS

    model = MIRRORS[Entity(entity)]
    updated = [field.name for field in model._meta.concrete_fields if not field.primary_key]
    seconds = cpu = 0.0
    for n in range(1, count + 1, BATCH):
        rows = []
        for data in objects_of(entity, range(n, min(n + BATCH, count + 1))):
            row = model(altoviz_id=data["id"], account="default", last_event_id=0)
            row._apply(data, "")
            rows.append(row)
        lines = [line for row in rows for line in row._pending_lines()]
        started, cpu_started = time.perf_counter(), time.process_time()
        model.with_deleted.bulk_create(
            rows, update_conflicts=True, unique_fields=["key"], update_fields=updated
        )
        if lines:
            type(lines[0])._default_manager.bulk_create(lines)
        seconds += time.perf_counter() - started
        cpu += time.process_time() - cpu_started
    empty(model)
    return seconds, cpu


def measure(database, what, entity, count, url, connection):
    set_up(database, url)
    from django_altoviz.event_types import Entity
    from django_altoviz.models import WebhookEvent
    from django_altoviz.sync import sync

    if what == BARE:
        seconds, cpu = bare(entity, count)
    else:
        started, cpu_started = time.perf_counter(), time.process_time()
        (run,) = sync(entities=[Entity(entity)])
        seconds = time.perf_counter() - started
        cpu = time.process_time() - cpu_started
        expected = {IMPORT: run.new, AGAIN: run.unchanged}[what]
        assert expected == run.seen == count, run.counts
        assert not WebhookEvent.objects.exists()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = count / seconds
    connection.send({"seconds": seconds, "cpu": cpu, "rows_per_second": rate, "peak_mb": peak})


def call_in_process(target, *args):
    """Run the function in a new process. Return the first thing it sends, and the process."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=target, args=(*args, there), daemon=True)
    process.start()
    there.close()
    return here.recv(), process


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--invoices", type=int, default=20_000)
    parser.add_argument("--format", choices=["text", "json"], default="text")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    creation = context.Process(target=create_database, args=(options.database,))
    creation.start()
    creation.join()
    results = {}
    for entity, count in (("customer", options.customers), ("invoice", options.invoices)):
        url, server = call_in_process(serve, options.database, entity, count)
        results[entity] = {
            what: call_in_process(measure, options.database, what, entity, count, url)[0]
            for what in (BARE, IMPORT, AGAIN)
        }
        server.terminate()
        server.join()
    print(json.dumps(results, indent=2) if options.format == "json" else table(results, options))


def table(results, options):
    lines = [f"{options.database}"]
    for entity, measured in results.items():
        first = measured[IMPORT]
        for what, value in measured.items():
            lines.append(
                f"{entity:10} {what:18} {value['seconds']:8.1f} s {value['cpu']:8.1f} s of CPU "
                f"{value['rows_per_second']:9.0f} rows/s {value['peak_mb']:6.0f} MB"
            )
        lines.append(
            f"{entity:10} first sync/bare {first['rows_per_second'] / measured[BARE]['rows_per_second']:.2f}, "
            f"second/first {first['seconds'] / measured[AGAIN]['seconds']:.2f}; "
            f"by CPU {measured[BARE]['cpu'] / first['cpu']:.2f}, "
            f"{first['cpu'] / measured[AGAIN]['cpu']:.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

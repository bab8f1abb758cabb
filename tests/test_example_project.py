"""The example project over HTTP, served by two processes on a database of its own."""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from django_altoviz import samples
from django_altoviz.event_types import SENT_TYPES, EventType
from django_altoviz.intake import signing
from tests.conftest import body_of
from tests.processes import Process, run

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "example_project"
SIGNATURES = json.loads((ROOT / "tests/samples/signatures.json").read_bytes())
SECRET = SIGNATURES["secretKey"]
VECTORS = SIGNATURES["vectors"]
# SQLite, and the database that the suite runs on.
DATABASES = sorted({"sqlite", os.environ.get("DATABASE", "sqlite")})

WSGI = "gunicorn example.wsgi --bind 127.0.0.1:0 --no-control-socket --workers 2 --threads 3"
ASGI = "uvicorn example.asgi:application --port 0"

# Events that are stored but have no effect.
IGNORED = ["variants/QuoteDeleted.null-data.json", "variants/UnknownType.json"]
RECEIVERS = {
    "contact": ["keep_address_book"],
    "customer": ["keep_client"],
    "product": ["keep_catalogue", "note_price_change"],
    "invoice": ["keep_sale"],
    "quote": ["keep_offer"],
}
new_id = itertools.count(7_000_000).__next__


@contextlib.contextmanager
def sqlite_database(directory):
    yield {"EXAMPLE_DATABASE": "sqlite", "EXAMPLE_SQLITE": str(directory / "example.sqlite3")}


@contextlib.contextmanager
def postgres_database(directory):
    import psycopg  # only installed if the suite runs on PostgreSQL

    name = f"altoviz_example_{os.getpid()}"
    server = psycopg.connect(
        host=os.environ.get("PGHOST", "127.0.0.1"),
        user=os.environ.get("PGUSER", "postgres"),
        password=os.environ.get("PGPASSWORD", ""),
        dbname="postgres",
        autocommit=True,
    )
    with server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield {"EXAMPLE_DATABASE": "postgres", "PGDATABASE": name}
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def mariadb_database(directory):
    import MySQLdb

    name = f"altoviz_example_{os.getpid()}"
    server = MySQLdb.connect(
        host=os.environ.get("MYSQL_HOST", "127.0.0.1"),
        user=os.environ.get("MYSQL_USER", "root"),
        password=os.environ.get("MYSQL_PASSWORD", ""),
    )
    with contextlib.closing(server), server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            yield {"EXAMPLE_DATABASE": "mariadb", "MYSQL_DATABASE": name}
        finally:
            cursor.execute(f"DROP DATABASE {name}")


#: Runs the commands that come in, a JSON list each, and writes what each of them has printed.
CONSOLE = """
import io, json, sys
import django
from django.core.management import call_command
django.setup()
for line in sys.stdin:
    output = io.StringIO()
    call_command(*json.loads(line), stdout=output)
    print(json.dumps(output.getvalue()), flush=True)
"""


class Project:
    """The example project: its commands, its server and its database."""

    def __init__(self, environment):
        self.environment = os.environ | environment
        self.url = ""

    @contextlib.contextmanager
    def with_console(self):
        with Process(
            [sys.executable, "-W", "error", "-c", CONSOLE],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        ) as self.console:
            yield self

    def call(self, *arguments):
        """Run a command in the console, a process that is started only once."""
        self.console.stdin.write(json.dumps(arguments) + "\n")
        self.console.stdin.flush()
        return json.loads(self.console.stdout.readline())

    def manage(self, *arguments):
        return run(
            [sys.executable, "-W", "error", "manage.py", *arguments],
            cwd=PROJECT,
            env=self.environment,
            encoding="utf-8",
            check=True,
        ).stdout

    @contextlib.contextmanager
    def served(self, log, server=WSGI):
        with log.open("w") as output:
            command = [sys.executable, "-m", *server.split()]
            with Process(command, cwd=PROJECT, env=self.environment, stderr=output) as process:
                self.url = self.wait_for(process, log)
                yield self

    @staticmethod
    def wait_for(process, log):
        give_up_at = time.monotonic() + 60
        while time.monotonic() < give_up_at and process.poll() is None:
            if listening := re.search(r"(?:at:|on) (http://\S+)", log.read_text()):
                return listening[1]
            time.sleep(0.05)
        raise RuntimeError(log.read_text())

    def post(self, body, signature=None):
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "X-SIGNATURE": signature or signing.sign(body, SECRET),
        }
        answer = requests.post(
            f"{self.url}/altoviz/webhook/", data=body, headers=headers, timeout=60
        )
        return answer.status_code, answer.json()

    def deliver(self, event_type, **data):
        answer = self.post(body_of(event_type, **data))
        assert (answer[0], answer[1]["status"]) == (200, "stored")

    def rows(self, model, **columns):
        """Return the rows of a model with these values, read by another process."""
        rows = [row["fields"] for row in json.loads(self.call("dumpdata", "--all", model))]
        return [row for row in rows if columns.items() <= row.items()]

    def row(self, model, altoviz_id):
        [row] = self.rows(model, altoviz_id=altoviz_id)
        return row


@contextlib.contextmanager
def migrated(database, directory, **variables):
    with globals()[f"{database}_database"](directory) as environment:
        project = Project(
            {
                "PYTHONPATH": str(ROOT),
                "PYTHONUTF8": "1",
                "DJANGO_SETTINGS_MODULE": "example.settings",
                "ALTOVIZ_WEBHOOK_SECRET": SECRET,
                **environment,
                **variables,
            }
        )
        with project.with_console():
            project.call("migrate", "--verbosity", "0")
            yield project


@pytest.fixture(scope="module", params=DATABASES)
def project(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("example")
    log = directory / "server.log"
    with migrated(request.param, directory) as project, project.served(log):
        yield project


def test_the_project_runs_on_an_asgi_server(tmp_path):
    with migrated("sqlite", tmp_path) as project:
        with project.served(tmp_path / "server.log", ASGI):
            for event_type in SENT_TYPES:
                body = samples.sample_body(event_type)
                assert project.post(body)[1]["status"] == "stored"
                assert project.post(body)[1]["status"] == "known"
                assert project.post(body, signing.sign(body, "another"))[0] == 401
        events = project.rows("django_altoviz.webhookevent")
        assert [(event["status"], event["deliveries"]) for event in events] == [
            ("processed", 2)
        ] * 15


def test_with_django_tasks_a_worker_processes_the_events(tmp_path):
    with migrated("sqlite", tmp_path, EXAMPLE_DISPATCHER="django_tasks") as project:
        with project.served(tmp_path / "server.log"):
            project.deliver(EventType.CUSTOMER_CREATED)
        (event,) = project.rows("django_altoviz.webhookevent")
        assert event["status"] == "pending"
        project.manage("db_worker", "--batch", "--no-reload", "--no-startup-delay")
        (event,) = project.rows("django_altoviz.webhookevent")
        assert event["status"] == "processed"


def test_with_celery_events_are_stored_while_the_broker_is_down(tmp_path):
    broker = "redis://127.0.0.1:1/0"
    environment = {"EXAMPLE_DISPATCHER": "celery", "EXAMPLE_BROKER": broker}
    with migrated("sqlite", tmp_path, **environment) as project:
        with project.served(tmp_path / "server.log"):
            project.deliver(EventType.CUSTOMER_CREATED)
        project.call("altoviz_process_events")
        (event,) = project.rows("django_altoviz.webhookevent")
        assert event["status"] == "processed"
        project.manage("check", "--fail-level", "WARNING")


def body_of_vector(name):
    if name.startswith("variants/"):
        return (ROOT / "tests/samples" / name).read_bytes()
    return samples.sample_body(EventType(name.removesuffix(".json")))


def signatures_of(vector):
    in_base64 = vector["base64"]
    return [
        vector["hexLower"],
        vector["hexUpper"],
        vector["hexDashedUpper"],
        in_base64,
        in_base64.rstrip("=").replace("+", "-").replace("/", "_"),
        "sha256=" + vector["hexLower"],
    ]


@pytest.fixture(scope="module")
def answers(project):
    """The answers to the deliveries of each vector: first one alone, then the others at once."""
    answers = {}
    with ThreadPoolExecutor(5) as pool:
        for position, (name, vector) in enumerate(VECTORS.items()):
            body, signatures = body_of_vector(name), signatures_of(vector)
            # Each encoding comes first for some body.
            first = project.post(body, signatures.pop(position % len(signatures)))
            post = functools.partial(project.post, body)
            answers[name] = [first, *pool.map(post, signatures)]
    return answers


@pytest.fixture(scope="module")
def tables(project, answers):
    """The rows of all tables after these deliveries, by model."""
    tables = collections.defaultdict(list)
    for row in json.loads(project.call("dumpdata", "--all", "django_altoviz", "shop")):
        tables[row["model"]].append(row["fields"])
    return tables


@pytest.mark.parametrize("name", VECTORS)
class TestVector:
    def test_each_signature_is_accepted_and_the_first_delivery_is_stored(self, answers, name):
        event_id = json.loads(body_of_vector(name))["id"]
        stored, *known = answers[name]

        assert stored == (200, {"status": "stored", "id": event_id})
        assert known == [(200, {"status": "known", "id": event_id})] * 5

    def test_the_event_is_stored_once_and_its_deliveries_are_counted(self, tables, name):
        body = body_of_vector(name).decode()
        [event] = [row for row in tables["django_altoviz.webhookevent"] if row["body"] == body]

        assert event["deliveries"] == 6
        assert event["status"] == ("ignored" if name in IGNORED else "processed")

    def test_the_receivers_ran_once(self, tables, name):
        event = json.loads(body_of_vector(name))
        ran = [
            row["receiver"]
            for row in tables["shop.receiverlog"]
            if (row["event_id"], row["type"]) == (event["id"], event["type"])
        ]

        assert ran == receivers_of(name)


def receivers_of(name):
    if name in IGNORED:
        return []
    event_type = EventType(name.removeprefix("variants/").partition(".")[0])
    receivers = RECEIVERS[event_type.entity]
    return receivers[:1] if event_type.is_deletion else receivers


@pytest.mark.parametrize(
    ("model", "altoviz_id", "is_deleted", "columns"),
    [
        ("customer", 412, False, {"name": "Épicerie du Châtelet", "type": "Business"}),
        ("customer", 418206, False, {"email": "compta@fonderie-brule.example"}),
        ("customer", 418290, False, {"type": "Association", "number": "C001055"}),
        ("customer", 418311, True, {"name": "Gaël Noël-Lœwen", "number": "C001057"}),
        ("contact", 552418, False, {"display_name": "Lefèvre Jérôme"}),
        ("contact", 552377, True, {"display_name": "Ångström-Peña Maïté"}),
        ("product", 203915, False, {"unit_price": Decimal("189.5")}),
        ("product", 203811, True, {"number": "LIVRE-FONT"}),
        ("invoice", 531884, False, {"number": "FA001043", "balance": Decimal("3056.61")}),
        (
            "invoice",
            222931,
            False,
            {"is_draft": True, "is_paid": True, "customer_altoviz_id": 418206},
        ),
        ("invoice", 531902, True, {"number": "000024", "customer_altoviz_id": 418290}),
        ("quote", 98141, False, {"status": "Accepted", "customer_altoviz_id": 418206}),
        ("quote", 98160, True, {"status": "Refused"}),
    ],
)
def test_the_mirror_shows_each_object(tables, model, altoviz_id, is_deleted, columns):
    [row] = [row for row in tables[f"django_altoviz.{model}"] if row["altoviz_id"] == altoviz_id]

    assert (row["deleted_at"] is not None) == is_deleted
    for column, value in columns.items():
        found = row[column]
        assert (Decimal(found) if isinstance(value, Decimal) else found) == value


def test_the_mirror_shows_nothing_else(tables):
    mirrors = ["contact", "customer", "product", "invoice", "quote"]
    counts = {name: len(tables[f"django_altoviz.{name}"]) for name in mirrors}

    assert counts == {"contact": 2, "customer": 4, "product": 2, "invoice": 3, "quote": 2}


def test_unknown_fields_are_kept(tables):
    [customer] = [row for row in tables["django_altoviz.customer"] if row["altoviz_id"] == 418290]

    assert json.loads(customer["data"])["someFutureField"]["nested"][0] == 1


def test_lines_are_mirrored_in_order(tables):
    lines = [
        row for row in tables["django_altoviz.invoiceline"] if row["invoice"] == "default:531884"
    ]

    assert [(line["position"], line["product_altoviz_id"]) for line in lines] == [
        (0, None),
        (1, 203915),
        (2, 203960),
        (3, 203811),
    ]
    amounts = [Decimal(line["tax_excluded_amount"] or 0) for line in lines]
    assert sum(amounts) == Decimal("2690.42")


def test_an_invoice_and_its_customer_make_the_same_shop_in_either_order(project):
    shops = []
    for order in ["customer first", "invoice first"]:
        invoice, customer = new_id(), new_id()
        deliveries = [
            (EventType.CUSTOMER_CREATED, {"id": customer, "name": "Noé & Cie"}),
            (EventType.INVOICE_CREATED, {"id": invoice, "customerId": customer}),
        ]
        for event_type, data in deliveries if order == "customer first" else deliveries[::-1]:
            project.deliver(event_type, **data)
        sale = project.row("shop.sale", invoice)
        client = project.row("shop.client", customer)
        assert client.pop("altoviz_id") == customer
        shops.append((sale["number"], sale["total"], sale["state"], client))

    assert shops[0] == shops[1]
    assert shops[0][3] == {
        "name": "Noé & Cie",
        "email": "zoe.brule@fonderie-brule.example",
        "is_closed": False,
    }


def test_a_sale_is_in_the_state_of_its_invoice(project):
    final = {"isDraft": False}
    states = {
        new_id(): ("draft", {"isDraft": True}),
        new_id(): ("draft", {"isDraft": True, "isPaid": True}),
        new_id(): ("open", final),
        new_id(): ("paid", final | {"isPaid": True}),
        new_id(): ("cancelled", final | {"isPaid": True, "isCancelled": True}),
        new_id(): ("deleted", {}),
    }
    for invoice, (state, data) in states.items():
        project.deliver(EventType.INVOICE_UPDATED, id=invoice, customerId=None, **data)
        if state == "deleted":
            project.deliver(EventType.INVOICE_DELETED, id=invoice, customerId=None)

    sales = {row["altoviz_id"]: row for row in project.rows("shop.sale")}
    for invoice, (state, _data) in states.items():
        assert sales[invoice]["state"] == state
        assert sales[invoice]["client"] is None


def test_a_price_change_is_recorded_once_and_only_if_there_was_a_price(project):
    product = new_id()
    project.deliver(EventType.PRODUCT_UPDATED, id=product, unitPrice=10)
    project.deliver(EventType.PRODUCT_UPDATED, id=product, unitPrice=10, name="Renamed")
    dearer = body_of(EventType.PRODUCT_UPDATED, id=product, unitPrice=12.5)
    for _delivery in range(3):
        project.post(dearer)

    changes = project.rows("shop.pricechange")
    [(old, new)] = [
        (row["old_price"], row["new_price"]) for row in changes if Decimal(row["old_price"]) == 10
    ]
    assert (Decimal(old), Decimal(new)) == (10, Decimal("12.5"))
    assert project.row("shop.catalogueitem", product)["label"] != "Renamed"


def test_a_contact_that_is_deleted_leaves_the_address_book_for_good(project):
    contact = new_id()
    for event_type in ["ContactCreated", "ContactDeleted", "ContactUpdated"]:
        project.deliver(event_type, id=contact)

    assert project.rows("shop.addressbookentry", altoviz_id=contact) == []


def test_the_shop_agrees_with_the_mirror_after_a_rush_on_few_objects(project):
    quotes = [new_id() for _quote in range(4)]
    bodies = [
        body_of(EventType.QUOTE_UPDATED, id=quote, number=f"DE{turn:06}")
        for turn in range(10)
        for quote in quotes
    ]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(project.post, bodies * 2))
    # A worker that found an object leased may have left its event to the command.
    project.call("altoviz_process_events")

    statuses = Counter((status, answer["status"]) for status, answer in answers)
    assert statuses == {(200, "stored"): 40, (200, "known"): 40}
    runs = Counter(row["event_id"] for row in project.rows("shop.receiverlog"))
    assert {runs[json.loads(body)["id"]] for body in bodies} == {1}
    mirrored = {row["altoviz_id"]: row["number"] for row in project.rows("django_altoviz.quote")}
    offered = {row["altoviz_id"]: row["number"] for row in project.rows("shop.offer")}
    for quote in quotes:
        assert offered[quote] == mirrored[quote]


def test_a_delivery_with_a_wrong_signature_is_refused_without_a_redirect_to_the_login(project):
    body = body_of(EventType.CUSTOMER_CREATED, id=new_id())

    assert project.post(body, "0" * 64) == (401, {"error": "invalid signature"})
    assert project.rows("django_altoviz.webhookevent", body=body.decode()) == []


def test_the_home_page_is_public_and_the_admin_needs_a_login(project):
    home = requests.get(project.url, timeout=60)
    admin = requests.get(f"{project.url}/admin/shop/sale/", timeout=60, allow_redirects=False)

    assert home.status_code == 200
    assert f"{project.url}/altoviz/webhook/" in home.text
    assert admin.status_code == 302
    assert admin.headers["Location"].startswith("/admin/login/")


def test_the_project_has_no_problem_and_no_missing_migration(project):
    project.manage("check", "--fail-level", "WARNING")
    project.manage("makemigrations", "--check", "--dry-run")

"""Each piece of code in the documentation is run, or a reason says why not."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import sys
from decimal import Decimal

import pytest
from django.core import mail
from django.core.management import CommandError, call_command, load_command_class
from django.db import connection
from django.urls import resolve

from django_altoviz.models import Customer, SyncRun
from django_altoviz.signals import invoice_finalized
from tests.conftest import body_of
from tests.processes import run as run_process
from tests.test_docs import DOCS, HOW_TO, REFERENCE, ROOT, blocks, page_id, run

#: The pages whose code is run here and in other tests. A script of its own follows the tutorial.
PAGES = sorted(path for path in DOCS.glob("[!_]*/*.rst"))
CODE = blocks(REFERENCE, "python") | blocks(HOW_TO, "python")
TESTS = "".join(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))

#: The lines for a shell that no test runs, by how they begin.
NOT_RUN = {
    "pip install": "it would install from a registry",
    "python manage.py migrate": "the tests' database is migrated when it is made",
    "python manage.py altoviz_send_event Ping --url https://shop.example/": "that host is invented",
}
#: Languages other than Python and the shell's.
NOT_CODE = {
    "nginx": "a configuration; no test has nginx",
    "ini": "a unit of systemd, which does not run in a container",
}
#: The exit codes by which a command says what it found, as the reference lists them.
FINDINGS = {
    "altoviz_doctor": {1},  # there is a dead event
    "altoviz_process_events": {1, 3},
    "altoviz_status": {1},
    "altoviz_sync": {3},
}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_each_block_of_code_is_named_and_used_in_a_test(page):
    for language in ("python", "javascript"):
        for name in blocks(page.read_text(), language):
            assert not name.isdigit(), f"block {name} of {page.name} has no name"
            assert f'"{name}"' in TESTS, f"no test runs {name}"


def test_every_other_language_is_accounted_for():
    texts = [page.read_text() for page in PAGES]
    languages = {name for text in texts for name in re.findall(r"code-block:: (\w+)", text)}
    assert languages - {"python", "javascript", "shell"} == {*NOT_CODE}


def shell_lines():
    for page in PAGES:
        for code in blocks(page.read_text(), "shell").values():
            for line in code.splitlines():
                command = line.partition("  #")[0].strip()
                if command and not command.startswith(tuple(NOT_RUN)):
                    yield pytest.param(command, id=f"{page.stem}: {command}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("line", [*shell_lines()])
def test_each_command_runs(line, post, fake_altoviz, settings):
    url = "https://shop.example/altoviz/webhook/"
    settings.ALTOVIZ = settings.ALTOVIZ | {"MAX_ATTEMPTS": 1, "WEBHOOK_URL": url}
    settings.SILENCED_SYSTEM_CHECKS = ["mail.E001"]  # the tests send no mail
    fake_altoviz.customers.create()
    fake_altoviz.wait()
    post(body_of("CustomerCreated", "evt_1", id=418206))
    post(body_of("ContactCreated", "evt_2", id=552401))
    post(body_of("InvoiceUpdated", "evt_3", id=531884, isPaid="maybe"))
    post(body_of("QuoteUpdated", "evt_4", id=7))
    python, script, *words = shlex.split(line)
    assert (python, script) == ("python", "manage.py")
    if "--watch" in words:  # it would not end; tests/watch and tests/commands run it
        command = load_command_class("django_altoviz", words[0])
        assert command.create_parser("manage.py", words[0]).parse_args(words[1:]).watch
        return
    try:
        call_command(*words)
    except (CommandError, SystemExit) as end:
        code = end.code if isinstance(end, SystemExit) else end.returncode
        assert code in FINDINGS.get(words[0], {0})


@pytest.mark.django_db
def test_the_client_reads_the_invoices_of_a_customer(fake_altoviz, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    customer = fake_altoviz.customers.create()
    invoice = fake_altoviz.invoices.create(customerId=customer["id"])
    run(CODE["client"].replace("418206", str(customer["id"])))
    _company, line = capsys.readouterr().out.splitlines()
    assert line.split() == [invoice["number"], str(invoice["taxIncludedAmount"])]
    assert (tmp_path / f"{invoice['id']}.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.django_db
def test_the_queries_of_the_mirror(post, capsys):
    post(body_of("CustomerCreated", id=418206))
    fields = {"customerId": 418206, "number": "FA7", "isDraft": False, "isPaid": False}
    post(body_of("InvoiceUpdated", id=1, balance=12.5, metadata={"priority": "high"}, **fields))
    post(body_of("InvoiceUpdated", id=2, balance=30, metadata=None, **fields | {"isDraft": True}))
    found = run(CODE["query"])
    assert found["owed"] == {"balance__sum": Decimal("12.5")}
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["FA7", "FA7"]
    assert [invoice.altoviz_id for invoice in run(CODE["query-data"])["urgent"]] == [1]


@pytest.mark.django_db
def test_the_first_receiver_sends_a_mail(post, django_capture_on_commit_callbacks):
    receiver = run(CODE["first-receiver"])["tell_accounting"]
    try:
        with django_capture_on_commit_callbacks(execute=True):
            post(body_of("InvoiceUpdated", isDraft=False, number="FA7"))
    finally:
        invoice_finalized.disconnect(receiver)
    assert [message.body.split(":")[0] for message in mail.outbox] == ["FA7"]


def test_the_urls_of_the_rest_api():
    (urls,) = run(CODE["api-urls"], urlpatterns=[])["urlpatterns"]
    path = "api/altoviz/v1/invoices/"
    # The tests' own project has the API at the same place.
    assert urls.resolve(path).func.cls is resolve(f"/{path}").func.cls


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["celery-sync", "django-tasks-sync"])
def test_a_task_syncs(name, fake_altoviz):
    pytest.importorskip("celery" if name.startswith("celery") else "django.tasks")
    fake_altoviz.customers.create()
    task = run(CODE[name])["sync_altoviz"]
    getattr(task, "call", task)()
    assert Customer.objects.count() == 1
    assert SyncRun.objects.filter(finished_at=None).count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_task_makes_the_round_of_a_watch(fake_altoviz):
    pytest.importorskip("django.tasks")
    fake_altoviz.customers.create()
    run(CODE["watch-task"])["watch_altoviz"].call()
    assert Customer.objects.count() == 1


def test_the_schedule_of_a_watch_names_tasks_that_exist():
    module = pytest.importorskip("django_altoviz.dispatchers.celery")
    for entry in run(CODE["celery-watch"])["CELERY_BEAT_SCHEDULE"].values():
        path, _, name = entry["task"].rpartition(".")
        assert path == module.__name__
        inspect.signature(getattr(module, name).run).bind(*entry["args"])


def test_the_schedule_of_celery():
    pytest.importorskip("celery")
    (entry,) = run(CODE["beat"])["CELERY_BEAT_SCHEDULE"].values()
    assert (entry["schedule"].hour, entry["schedule"].minute) == ({4}, {15})
    assert entry["task"].endswith(".sync_altoviz")


def test_the_settings_for_pgbouncer():
    databases = {"default": {}}
    run(CODE["pgbouncer"], DATABASES=databases)
    assert databases["default"] == {"PORT": 6432, "DISABLE_SERVER_SIDE_CURSORS": True}


def test_the_settings_of_a_pool_make_a_pool():
    databases = {"default": connection.settings_dict | {"NAME": "shop", "CONN_MAX_AGE": 0}}
    run(CODE["pool"], DATABASES=databases)
    assert databases["default"]["OPTIONS"] == {"pool": {"max_size": 20, "timeout": 30}}
    pytest.importorskip("psycopg_pool")
    base = pytest.importorskip("django.db.backends.postgresql.base")
    pool = base.DatabaseWrapper(databases["default"], "documentation").pool
    assert (pool.max_size, pool.timeout) == (20, 30)


SHOP = """
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="of this test",
    INSTALLED_APPS=["django_altoviz", "shop"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    ROOT_URLCONF="urls",
    ALLOWED_HOSTS=["testserver"],
    ALTOVIZ={"WEBHOOK_SECRET": "of this test"},
    USE_TZ=True,
)
django.setup()
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
from shop.models import Order
from django_altoviz.models import Invoice
from django_altoviz.testing import post_event
order = Order.objects.create(number="A-7")
post_event("InvoiceUpdated", isDraft=False, customerOrderReference="A-7", id=5, customerId=9)
order.refresh_from_db()
print(order.invoice.altoviz_id, order.customer_id)
post_event("InvoiceDeleted", id=5)
order.refresh_from_db()
print(order.invoice.deleted_at is not None)
Invoice.with_deleted.all().delete()
order.refresh_from_db()
print(order.invoice, order.customer_id)
"""


def test_the_models_are_linked_to_the_mirror(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "apps.py").write_text(CODE["app-config"])
    (tmp_path / "shop" / "models.py").write_text(CODE["models"])
    code = f"from shop.models import Order\n\n{CODE['link']}"
    (tmp_path / "shop" / "receivers.py").write_text(code)
    (tmp_path / "urls.py").write_text(
        "from django.urls import include, path\n"
        "urlpatterns = [path('altoviz/', include('django_altoviz.urls'))]\n"
    )
    environment = {name: os.environ[name] for name in os.environ if name[:6] != "DJANGO"}
    output = run_process(
        [sys.executable, "-c", SHOP],
        env=environment | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        check=True,
    ).stdout
    assert output.split() == ["5", "default:9", "True", "None", "default:9"]

"""The export of a filtered list: whole, streamed, and safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from django_altoviz.admin import exporting
from django_altoviz.masking import MASK
from django_altoviz.models import MIRRORS, Customer, Invoice
from tests.conftest import SECRETS, body_of
from tests.test_admin import VIEW, client_of, html, list_of

pytestmark = pytest.mark.django_db
EXPORT = [f"export_{model._meta.model_name}" for model in MIRRORS.values()]


@pytest.fixture
def clerk():
    return client_of("clerk", *VIEW, *EXPORT)


def export(client, model, language="en", **query):
    name = f"admin:django_altoviz_{model._meta.model_name}_export"
    return client.post(reverse(name, query=query), headers={"Accept-Language": language})


def text_of(answer):
    assert answer.status_code == 200, answer.get("Location")
    text = b"".join(answer.streaming_content).decode()
    return text


def rows_of(answer, delimiter=","):
    text = text_of(answer)
    assert text.startswith("\ufeff")
    return [*csv.DictReader(io.StringIO(text[1:], newline=""), delimiter=delimiter)]


@pytest.mark.parametrize("model", MIRRORS.values())
def test_every_list_can_be_exported(samples, clerk, model):
    for deleted in ("no", "yes", "all"):
        rows = rows_of(export(clerk, model, deleted=deleted))
        count = {"no": model.objects, "all": model.with_deleted}.get(deleted)
        assert count is None or len(rows) == count.count()
        assert all(row["Altoviz id"] for row in rows)
    assert "Export as CSV" in html(clerk, list_of(model))


def test_the_whole_file_is_in_the_language_of_its_request(post, clerk):
    """Read it after the middleware has left that language."""
    post(body_of("InvoiceUpdated", balance=Decimal("1.50"), sentAt=None))
    answer = export(clerk, Invoice, "fr")
    with translation.override("en"):
        text = text_of(answer)
    assert text.startswith('\ufeff"état";')
    assert ';"1,5' in text


def test_a_file_has_what_the_list_is_filtered_by(post, clerk):
    for id, name in ((1, "Martin"), (2, "Durand"), (3, "Martin")):
        post(body_of("CustomerUpdated", id=id, name=name, active=id != 3))
    rows = rows_of(export(clerk, Customer, q="martin", active__exact=1, p=7, o=2, all=1))
    assert [row["Altoviz id"] for row in rows] == ["1"]


def test_a_file_is_english_or_french(post, clerk):
    amounts = {"taxIncludedAmount": Decimal("1234.5"), "balance": -3, "isPaid": False}
    post(body_of("InvoiceUpdated", **amounts, date="2026-11-03", sentAt="2026-11-20T23:30:00Z"))
    answer = export(clerk, Invoice)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="invoices-20')
    [row] = rows_of(answer)
    assert (row["amount with tax"], row["balance"]) == ("1234.5", "-3")
    assert (row["date"], row["sent at"]) == ("2026-11-03", "2026-11-21 00:30:00")
    assert row["paid"] == "no"
    answer = export(clerk, Invoice, "fr")
    with translation.override("en"):  # as for the next request, while this one is sent
        [row] = rows_of(answer, ";")
    assert "1234,5" in row.values()
    assert "-3" in row.values()
    assert "non" in row.values()


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+33 4 65",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "＝1",
        "=cmd|' /C calc'!A0",
    ],
)
def test_no_text_is_a_formula(post, clerk, text):
    post(body_of("CustomerUpdated", name=text, phone=f"0;{text}"))
    [row] = rows_of(export(clerk, Customer))
    assert row["name"] == f"'{text}"
    assert row["phone"] == f"0;{text}"


def test_no_cell_begins_within_another(post, clerk):
    post(body_of("CustomerUpdated", name='a";=1+1;"b', companyName="x,=1"))
    lines = text_of(export(clerk, Customer)).splitlines()
    assert all(line.lstrip("\ufeff").startswith('"') and line.endswith('"') for line in lines)
    assert '"a"";=1+1;""b"' in lines[1]


def test_a_file_has_no_secret_and_no_address_that_opens_a_document(post, clerk):
    post(body_of("InvoiceUpdated", subject=f"x{SECRETS['acme']}", publicLink="https://p.example/7"))
    text = text_of(export(clerk, Invoice))
    assert MASK in text
    assert SECRETS["acme"] not in text
    assert "p.example" not in text


def test_what_was_forgotten_stays_blank(post, clerk):
    post(body_of("CustomerUpdated", name="Zoé"))
    Customer.objects.update(name=None, email="", forgotten_at=timezone.now())
    [row] = rows_of(export(clerk, Customer))
    assert (row["name"], row["e-mail"]) == ("", "")
    assert row["state"] == "forgotten"


def test_rows_are_read_in_pages_of_a_fixed_size(post, clerk, monkeypatch):
    for id in range(1, 8):
        post(body_of("CustomerUpdated", id=id))
    monkeypatch.setattr(exporting, "PAGE", 3)
    answer = export(clerk, Customer)
    with CaptureQueriesContext(connection) as captured:
        rows = rows_of(answer)
    assert [row["Altoviz id"] for row in rows] == [*"1234567"]
    read = [each["sql"] for each in captured if "LIMIT 3" in each["sql"]]
    assert len(read) == 4
    assert not any('"data"' in sql or "`data`" in sql or "OFFSET" in sql for sql in read)


def test_an_export_is_noted_with_the_number_of_its_rows(post, clerk):
    post(body_of("CustomerUpdated"))
    answer = export(clerk, Customer, q="fonderie")
    entry = LogEntry.objects.get()
    assert entry.change_message == "CSV export, not finished. Filtered by: q"
    assert entry.get_admin_url() is None
    text_of(answer)
    entry.refresh_from_db()
    assert entry.change_message == "CSV export, 1 rows. Filtered by: q"


def test_only_those_who_may_can_export(post):
    post(body_of("CustomerUpdated"))
    for user in (client_of("viewer", *VIEW), client_of("blind", *EXPORT)):
        assert export(user, Customer).status_code == 403
    viewer = client_of("viewer 2", *VIEW)
    assert "Export as CSV" not in html(viewer, list_of(Customer))
    clerk = client_of("clerk", *VIEW, *EXPORT)
    assert clerk.get(reverse("admin:django_altoviz_customer_export")).status_code == 403
    assert LogEntry.objects.count() == 0


@pytest.mark.parametrize("query", [{"nonsense": 1}, {"active__exact": "x"}, {"date__year": "x"}])
def test_an_odd_filter_leads_back_to_the_list(post, clerk, query):
    answer = export(clerk, Invoice, **query)
    assert answer.status_code == 302
    assert answer["Location"] == reverse("admin:django_altoviz_invoice_changelist")
    assert LogEntry.objects.count() == 0


def test_a_lookup_that_is_not_allowed_is_refused(clerk):
    assert export(clerk, Invoice, data__contains="x").status_code == 400

"""The buttons on an object's page that ask Altoviz: "Read again" and "PDF"."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.urls import reverse

from django_altoviz import exact_json
from django_altoviz.client import AltovizClient
from django_altoviz.event_types import EventType
from django_altoviz.models import Customer, Invoice, Source, WebhookEvent
from django_altoviz.samples import sample
from django_altoviz.signals import invoice_updated
from tests.client.scripted import Answer, ScriptedServer, json_answer
from tests.conftest import body_of
from tests.test_admin import VIEW, client_of, html, page_of
from tests.test_admin_overview import text_of

pytestmark = pytest.mark.django_db
INVOICE = sample(EventType.INVOICE_UPDATED).data
PDF = b"%PDF-1.7\n" + b"x" * 3000
NOT_FOUND = json_answer({"errors": [], "message": "No such invoice."}, 404)


@pytest.fixture
def clerk():
    names = ["invoice", "quote", "customer"]
    return client_of("clerk", *VIEW, *(f"refetch_{n}" for n in names), "download_invoice")


@pytest.fixture
def row(post):
    post(body_of("InvoiceUpdated", subject="As it was"))
    return Invoice.objects.get()


@pytest.fixture
def altoviz(settings):
    """Return a function that has Altoviz give these answers, and returns its server."""
    cache.clear()
    servers = []

    def altoviz(*answers):
        server = ScriptedServer(*answers)
        servers.append(server.__enter__())
        settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": "a-key", "BASE_URL": server.url}
        return server

    yield altoviz
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def meanwhile(monkeypatch):
    """Return a function that has a call made after each answer, before it is read."""

    def meanwhile(call):
        send = AltovizClient._send

        def send_and_call(*args, **options):
            answer = send(*args, **options)
            call()
            return answer

        monkeypatch.setattr(AltovizClient, "_send", send_and_call)

    return meanwhile


def shown(data):
    return Answer(200, exact_json.dumps(data).encode())


def url_of(row, view):
    return reverse(f"admin:django_altoviz_{row._meta.model_name}_{view}", args=[row.pk])


def read_again(client, row):
    """Confirm "Read again", and return the messages on the object's page."""
    answer = client.post(url_of(row, "refetch"), {"confirmed": "yes"}, follow=True)
    assert answer.redirect_chain[-1][0] == page_of(row)
    return [str(message) for message in answer.context["messages"]]


# Read again


def test_an_object_is_read_again_after_a_confirmation(row, clerk, altoviz):
    altoviz(shown(INVOICE | {"subject": "As it is"}))
    assert "Read again from Altoviz" in html(clerk, page_of(row))
    page = clerk.post(url_of(row, "refetch"))
    assert page.status_code == 200
    assert "Yes, read it again" in page.content.decode()
    assert Invoice.objects.get().subject == "As it was"
    assert LogEntry.objects.count() == 0
    [message] = read_again(clerk, row)
    assert "shows what has changed" in message
    assert Invoice.objects.get().subject == "As it is"
    event = WebhookEvent.objects.last()
    assert (event.source, event.status, event.type) == (Source.SYNC, "processed", "InvoiceUpdated")
    assert "read again from Altoviz · " in text_of(html(clerk, page_of(row)))
    assert "reason read again from Altoviz" in text_of(html(clerk, page_of(event)))
    entry = LogEntry.objects.get()
    assert entry.change_message == "Read again from Altoviz: changed"
    # An erasure does not look into Django's log.
    assert (entry.object_repr, entry.get_edited_object()) == (row.key, row)


def test_receivers_are_told_of_what_was_read_again(row, clerk, altoviz):
    altoviz(shown(INVOICE | {"subject": "As it is"}))
    subjects = []

    def receiver(instance, **kwargs):
        subjects.append(instance.subject)

    invoice_updated.connect(receiver, dispatch_uid="reread")
    try:
        read_again(clerk, row)
    finally:
        invoice_updated.disconnect(dispatch_uid="reread")
    assert subjects == ["As it is"]


def test_an_object_that_has_not_changed_stays_as_it_is(row, clerk, altoviz):
    altoviz(shown(row.data))
    [message] = read_again(clerk, row)
    assert "nothing has changed" in message
    assert WebhookEvent.objects.count() == 1


def test_an_object_that_is_read_again_comes_back_from_its_deletion(row, post, clerk, altoviz):
    post(body_of("InvoiceDeleted", **row.data))
    assert not Invoice.objects.exists()
    altoviz(shown(INVOICE))
    read_again(clerk, row)
    assert Invoice.objects.get().pk == row.pk


def test_a_row_that_is_gone_here_meanwhile_is_made_anew(row, clerk, altoviz, meanwhile):
    altoviz(shown(INVOICE))
    meanwhile(Invoice.with_deleted.filter(pk=row.pk).delete)
    clerk.post(url_of(row, "refetch"), {"confirmed": "yes"})
    assert Invoice.objects.get().altoviz_id == row.altoviz_id


def test_an_event_that_comes_in_meanwhile_is_not_overwritten(row, post, clerk, altoviz, meanwhile):
    numbers = iter(range(9))
    altoviz(shown(INVOICE | {"subject": "Older"}))
    meanwhile(lambda: post(body_of("InvoiceUpdated", subject=f"Newer {next(numbers)}")))
    [message] = read_again(clerk, row)
    assert "keep coming in" in message
    assert Invoice.objects.get().subject == "Newer 2"


def test_what_does_not_fit_is_said(row, clerk, altoviz):
    altoviz(shown(INVOICE | {"balance": "much"}))
    [message] = read_again(clerk, row)
    assert "could not be taken over" in message
    assert Invoice.objects.get().subject == "As it was"


def test_an_object_that_altoviz_does_not_know_is_kept(row, clerk, altoviz):
    altoviz(NOT_FOUND)
    [message] = read_again(clerk, row)
    assert "Nothing was changed here" in message
    assert Invoice.objects.get().deleted_at is None
    assert WebhookEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(500, b"oops"), "500"),
        (Answer(401), "Altoviz does not accept the API key of account “default”"),
        (Answer(404), "BASE_URL"),
        (Answer(200, b"[]"), ""),
        (Answer(fault="reset"), "can't be reached"),
        (json_answer({"message": "a-key", "errors": ["<script>alert(1)"]}, 400), "400"),
    ],
)
def test_a_failure_to_read_again_is_a_message(row, clerk, altoviz, answer, reason):
    altoviz(answer)
    page = clerk.post(url_of(row, "refetch"), {"confirmed": "yes"}, follow=True)
    [message] = [str(each) for each in page.context["messages"]]
    assert message.startswith("Altoviz could not be asked: ")
    assert reason in message
    assert "a-key" not in page.content.decode()
    assert "<script>alert" not in page.content.decode()
    assert LogEntry.objects.count() == 0


@pytest.mark.parametrize("account", ["default", "gone"])
def test_without_a_key_there_is_no_button_and_a_message(row, clerk, settings, account):
    settings.ALTOVIZ = settings.ALTOVIZ | {"API_KEY": ""}
    Invoice.objects.update(account=account)
    page = html(clerk, page_of(row))
    assert "Read again" not in page
    assert "/pdf/" not in page
    [message] = read_again(clerk, row)
    assert "could not be asked" in message


def test_only_those_who_may_can_read_again_and_download(row, post, altoviz):
    altoviz(shown(INVOICE))
    for user in (client_of("viewer", *VIEW), client_of("blind", "refetch_invoice")):
        assert user.post(url_of(row, "refetch"), {"confirmed": "yes"}).status_code == 403
        assert user.get(url_of(row, "pdf")).status_code == 403
    page = html(client_of("viewer 2", *VIEW), page_of(row))
    assert "Read again" not in page
    assert "/pdf/" not in page
    everything = client_of("all", *VIEW, "refetch_invoice", "download_invoice")
    assert everything.get(url_of(row, "refetch")).url == page_of(row)
    assert everything.post(url_of(row, "pdf")).status_code == 403
    for view in ("refetch", "pdf"):
        url = url_of(row, view).replace(f"/{row.pk}/", "/99/")
        method = everything.post if view == "refetch" else everything.get
        assert method(url).status_code == 404


# The PDF


def test_the_pdf_is_streamed_with_the_key(row, clerk, altoviz):
    headers = {"Content-Type": "application/pdf"}
    headers["Content-Disposition"] = 'attachment; filename="FA 1043.pdf"'
    server = altoviz(Answer(200, PDF, headers))
    assert url_of(row, "pdf") in html(clerk, page_of(row))
    answer = clerk.get(url_of(row, "pdf"))
    assert answer.streaming
    assert b"".join(answer.streaming_content) == PDF
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"] == 'attachment; filename="FA 1043.pdf"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    [received] = server.received
    assert received.path.endswith(f"/Download/{row.altoviz_id}")
    assert received.headers["X-API-KEY"] == "a-key"


def test_a_pdf_without_a_safe_name_gets_one(row, clerk, altoviz):
    altoviz(Answer(200, PDF, {"Content-Disposition": 'attachment; filename="../.."'}))
    answer = clerk.get(url_of(row, "pdf"))
    assert answer["Content-Disposition"] == 'attachment; filename="invoice-531884.pdf"'
    assert b"".join(answer.streaming_content) == PDF


@pytest.mark.parametrize("name", ["x.exe", "facture.pdf.hta", "FA1043"])
def test_a_pdf_is_never_saved_as_something_else(row, clerk, altoviz, name):
    altoviz(Answer(200, PDF, {"Content-Disposition": f'attachment; filename="{name}"'}))
    answer = clerk.get(url_of(row, "pdf"))
    assert answer["Content-Disposition"] == f'attachment; filename="{name}.pdf"'
    assert b"".join(answer.streaming_content) == PDF


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (NOT_FOUND, "has no PDF of this document"),
        (Answer(404), "could not be asked"),
        (Answer(200, b"<html>Maintenance</html>", {"Content-Type": "text/html"}), "not a PDF"),
        (Answer(503), "503"),
        (Answer(fault="reset"), "can't be reached"),
    ],
)
def test_a_pdf_that_can_not_be_had_is_a_message(row, clerk, altoviz, answer, reason):
    altoviz(answer)
    page = clerk.get(url_of(row, "pdf"), follow=True)
    assert page.redirect_chain[-1][0] == page_of(row)
    [message] = [str(each) for each in page.context["messages"]]
    assert reason in message


def test_what_is_no_document_or_deleted_has_no_pdf(row, post, altoviz):
    altoviz(Answer(200, PDF))
    clerk = client_of("clerk", *VIEW, "download_invoice", "download_quote")
    post(body_of("CustomerUpdated"))
    customer = Customer.objects.get()
    assert "/pdf/" not in html(clerk, page_of(customer))
    assert clerk.get(url_of(customer, "pdf")).status_code == 403
    post(body_of("InvoiceDeleted", **row.data))
    assert "/pdf/" not in html(clerk, page_of(row))

"""The history of an object shows what changed of its lines, notes, addresses and contacts."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.utils import timezone, translation

from django_altoviz.admin import comparisons
from django_altoviz.admin.display import bodies
from django_altoviz.admin.display.rendering import Renderer
from django_altoviz.event_types import EventType
from django_altoviz.models import Invoice, WebhookEvent
from django_altoviz.samples import sample
from tests.test_admin import VIEW, client_of, html, page_of
from tests.test_admin_objects import post_open

pytestmark = pytest.mark.django_db
SAMPLE = sample(EventType.INVOICE_UPDATED).data
LINES = SAMPLE["lines"]


@pytest.fixture
def viewer():
    return client_of("viewer", *VIEW)


def changes(client, row):
    """Return the labels and texts of the changes of the last event."""
    page = html(client, page_of(row))
    entry = page[page.index('id="history"') :].split("<li")[1]
    pairs = re.findall(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", entry, re.DOTALL)
    return {
        unescape(label): " ".join(unescape(re.sub("<[^>]*>", "", text)).split())
        for label, text in pairs
    }


def test_the_history_shows_changed_lines_notes_addresses_and_contacts(post, viewer):
    post_open(post, lines=LINES, headerNotes=None)
    lines = [LINES[0] | {"description": "<p>Autre&nbsp;titre</p>"}, LINES[1] | {"quantity": 7}]
    row = post_open(
        post,
        lines=[*lines, {"description": "Neuf", "quantity": 2, "taxIncludedAmount": 1234}],
        headerNotes="<p>Merci</p>",
        billingAddress={"street": "1 rue Haute", "city": "Lyon"},
        billingContact={"displayName": "Ada"},
    )
    found = changes(viewer, row)
    assert found["Header notes"] == "— → Merci"
    assert found["Billing address"].endswith("→ 1 rue Haute Lyon")
    assert found["Billing contact"].endswith("→ Ada")
    assert found["Line 1: description"].endswith("→ Autre titre")
    assert found["Line 2: quantity"] == "12 → 7"
    assert "— → Neuf · 2 · €1,234.00" in found.values()
    assert any(text.endswith("→ —") for label, text in found.items() if label.startswith("Line"))


def test_a_long_text_is_shown_from_where_it_changed_with_a_sign(post, viewer):
    post_open(post, headerNotes="a" * 900 + " avant")
    found = changes(viewer, post_open(post, headerNotes="a" * 900 + " après"))
    assert re.fullmatch(r"… a{38} avant → … a{38} après", found["Header notes"])


def test_odd_lines_are_compared_as_far_as_they_can_be_read():
    old = {"lines": [{"id": 1}, {"id": 1, "quantity": 1}, "odd", {"quantity": "many"}]}
    new = {"lines": [{"id": 1}, {"id": 1, "quantity": 2}]}
    found = bodies.differences_between(old, new, Renderer())
    assert found == [("Line 2: quantity", "1", "2")]
    assert bodies.differences_between([], None, Renderer()) == []
    assert bodies.differences_between({"lines": 7}, {"lines": [{}]}, Renderer()) == [
        ("Line 1", "—", "—")
    ]
    many = {"lines": [{"id": id, "quantity": 1} for id in range(500)]}
    found = bodies.differences_between({}, many, Renderer())
    assert len(found) == bodies.MAX_DIFFERENCES + 1
    assert found[-1][0] == "… and 400 more changes"
    many["lines"] = many["lines"][: bodies.MAX_DIFFERENCES + 1]
    assert bodies.differences_between({}, many, Renderer())[-1][0] == "… and 1 more change"


def test_the_colon_of_a_label_is_that_of_the_language():
    old, new = ({"lines": [{"id": 1, "quantity": number}]} for number in (1, 2))
    with translation.override("fr"):
        [(label, _old, _new)] = bodies.differences_between(old, new, Renderer())
    assert label == "Ligne 1\N{NO-BREAK SPACE}: quantité"


NOT_COMPARED = "Lines, notes and addresses are not compared"


def redact(first, second):
    second.body = second.body.replace("Secret", "null")


def prune(first, second):
    first.pruned_at, first.body = timezone.now(), ""


def read_again(first, second):
    second.arrival = {"read_again": "alive"}


@pytest.mark.parametrize("change", [redact, prune, read_again])
def test_what_is_not_whole_is_not_compared(post, viewer, change):
    post_open(post, headerNotes="Before")
    row = post_open(post, headerNotes="Secret")
    assert changes(viewer, row) == {"Header notes": "Before → Secret"}
    events = WebhookEvent.objects.order_by("pk")
    first, second = events
    change(first, second)
    first.save()
    second.save()
    page = html(viewer, page_of(row))
    assert "Header notes" not in page[page.index('id="history"') : page.index("</ol>")]
    assert page.count(NOT_COMPARED) >= 1


def test_nothing_of_a_forgotten_object_is_compared(post, viewer):
    post_open(post, headerNotes="Before")
    row = post_open(post, headerNotes="Secret")
    Invoice.objects.update(forgotten_at=timezone.now())
    assert changes(viewer, row) == {}


def test_bodies_are_compared_up_to_a_length_each_and_in_all(post, viewer, monkeypatch):
    post_open(post, headerNotes="Before")
    post_open(post, headerNotes="Between")
    row = post_open(post, headerNotes="After")
    length = len(WebhookEvent.objects.last().body)
    monkeypatch.setattr(comparisons, "MAX_BODIES", length * 2 + 200)
    page = html(viewer, page_of(row))
    assert "Between" in page
    assert "Before" not in page[page.index('id="history"') : page.index("</ol>")]
    monkeypatch.setattr(comparisons, "MAX_BODY", length - 1000)
    assert changes(viewer, row) == {}


def test_a_deletion_without_content_removes_no_lines_in_the_history(post, viewer):
    post_open(post, headerNotes="Before")
    post(
        {
            "id": "evt_gone",
            "type": "InvoiceDeleted",
            "data": {"id": SAMPLE["id"]},
        }
    )
    assert "Line 1" not in "".join(changes(viewer, Invoice.with_deleted.get()))

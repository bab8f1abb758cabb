"""Log records name the event that they are about, and never show its content."""

from __future__ import annotations

import logging

import pytest

from django_altoviz.event_types import EventType
from django_altoviz.exceptions import InvalidPayload
from django_altoviz.log import FIELDS, log_about
from django_altoviz.models import WebhookEvent
from tests.conftest import SECRETS, body_of

pytestmark = pytest.mark.django_db


def about(record):
    return {name: getattr(record, name) for name in FIELDS}


def test_a_record_names_its_event(post, caplog):
    post(body_of("CustomerCreated", "evt_1", id=7, active="maybe", name="Zoé"))
    (record,) = caplog.records
    assert about(record) == {
        "event_id": "evt_1",
        "event_type": "CustomerCreated",
        "object_id": 7,
        "account": "default",
    }
    assert "Zoé" not in caplog.text


def test_only_what_was_ignored_or_failed_is_logged(post, caplog):
    post(body_of("CustomerCreated", id=7))
    assert not caplog.records
    post(body_of("CustomerDeleted", id=7))
    assert not caplog.records
    post(body_of("CustomerUpdated", id=7))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "ignored: The object was deleted" in record.getMessage()


@pytest.mark.parametrize(("attempts", "outcome"), [(1, "given up."), (2, "failed.")])
def test_the_record_of_a_failure_has_the_traceback(post, caplog, settings, attempts, outcome):
    settings.ALTOVIZ = settings.ALTOVIZ | {"MAX_ATTEMPTS": attempts}
    post(body_of("CustomerCreated", id=7, active="maybe"))
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()[-len(outcome) :]) == ("ERROR", outcome)
    assert isinstance(record.exc_info[1], InvalidPayload)
    assert record.exc_info[2] is not None


def test_without_an_event_id_a_record_has_the_primary_key(post, caplog):
    post({"type": "CreditCreated", "data": {"id": 7}})
    assert not caplog.records
    event = WebhookEvent.objects.get()
    event.log.warning("a message")
    assert caplog.records[0].event_id == str(event.pk)


def test_a_record_about_a_rejected_delivery_names_only_the_account(post, caplog):
    post(EventType.CUSTOMER_CREATED, account="acme", signature="0" * 64)
    (record,) = (each for each in caplog.records if each.name == "django_altoviz")
    assert about(record) == dict.fromkeys(FIELDS) | {"account": "acme"}
    assert not any(secret in caplog.text for secret in SECRETS.values())


def test_a_record_about_no_event_has_all_fields_for_a_formatter(caplog):
    log_about().warning("a message")
    formatter = logging.Formatter("{account} {event_id} {message}", style="{")
    assert formatter.format(caplog.records[0]) == "None None a message"

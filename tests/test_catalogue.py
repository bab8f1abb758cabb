"""Each event type has its name, its signal and its sample, so that none can be added by half."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.urls import reverse

from django_altoviz import signals
from django_altoviz.client import AltovizClient
from django_altoviz.event_types import SENT_TYPES, Entity, EventType, sent_type
from django_altoviz.models import MIRRORS, Credit, Document, Status, WebhookEvent
from django_altoviz.models.mirrors.personal_data import DOCUMENTS, KEPT
from django_altoviz.processing import Replay, process_again
from django_altoviz.samples import new_event_id, sample, sample_body, to_body
from django_altoviz.signals import BY_EVENT_TYPE
from django_altoviz.signals.names import dotted_path, name_of
from django_altoviz.testing import FakeAltoviz

SHARED = Path(__file__).parents[2] / "shared" / "altoviz"


@pytest.mark.parametrize("event_type", EventType)
def test_an_event_type_has_its_name_its_signal_and_its_sample(event_type):
    entity, _, action = event_type.name.lower().partition("_")
    assert event_type.value == entity.title() + action.title()
    assert event_type.entity == entity
    assert event_type.is_deletion == (action == "deleted")
    assert BY_EVENT_TYPE[event_type] is getattr(signals, f"{entity}_{action}")
    assert EventType.known(event_type.value) is event_type
    assert sample(event_type).type == event_type
    assert sample(event_type).object_id


def test_each_event_type_has_a_signal_and_each_entity_a_mirror():
    assert len(EventType) == len({*BY_EVENT_TYPE.values()}) == 18
    assert [*MIRRORS] == [*Entity]
    assert all(model.entity() == entity for entity, model in MIRRORS.items())
    assert EventType.known("ReceiptCreated") is None


@pytest.mark.parametrize("entity", Entity)
def test_each_entity_has_a_resource_a_page_a_path_and_a_fake(entity):
    model = MIRRORS[entity]
    with AltovizClient("key") as client:
        assert client.resource(entity) is getattr(client, f"{entity}s")
    assert admin.site.is_registered(model)
    assert reverse(f"altoviz_api:{entity}-list") == f"/api/altoviz/v1/{entity}s/"
    with FakeAltoviz() as altoviz:
        assert altoviz.company.records[f"{entity}s"] is getattr(altoviz, f"{entity}s")
    assert issubclass(model, Document) == (entity in DOCUMENTS)
    assert isinstance(KEPT.get(entity), Mapping) == (entity != Entity.PRODUCT)


def test_altoviz_sends_the_events_of_all_entities_but_credits():
    assert len(SENT_TYPES) == 15
    assert {*EventType} - {*SENT_TYPES} == {t for t in EventType if t.name.startswith("CREDIT_")}
    assert [entity for entity in Entity if not entity.has_webhook] == [Entity.CREDIT]
    assert sent_type("InvoiceCreated") is EventType.INVOICE_CREATED
    with pytest.raises(ValueError, match="sends no CreditCreated: a sync brings credits in"):
        sent_type("CreditCreated")


@pytest.mark.django_db
def test_a_delivery_about_a_credit_is_kept_and_ignored_as_one_of_an_unknown_type(post):
    assert post(sample_body(EventType.CREDIT_CREATED)).status_code == 200
    event = WebhookEvent.objects.get()
    assert (event.status, event.entity, event.event_type) == (Status.IGNORED, "", None)
    assert event.body == sample_body(EventType.CREDIT_CREATED).decode()
    assert process_again(event) == Replay.UNKNOWN
    assert not Credit.with_deleted.exists()


def test_a_sample_survives_the_round_trip():
    for event_type in EventType:
        assert json.loads(to_body(sample(event_type))) == json.loads(sample_body(event_type))


def test_new_event_ids_look_like_those_of_altoviz():
    ids = {new_event_id() for _ in range(100)}
    assert len(ids) == 100
    assert {len(event_id) for event_id in ids} == {29}
    assert all(event_id.startswith("evt_") and event_id.islower() for event_id in ids)


def test_the_official_description_has_the_same_types():
    path = SHARED / "openapi.yaml"
    if not path.exists():
        pytest.skip("../shared/altoviz/openapi.yaml, the official description, is not here")
    text = path.read_text()
    described = text[text.index("    WebhookType:") :]
    described = described[: described.index("type: string")]
    assert {*re.findall(r"- (\w+)", described)} == {*SENT_TYPES}


class Callable_:
    def __call__(self, **kwargs):
        pass

    def method(self, **kwargs):
        pass


def test_the_name_of_a_receiver_is_its_dotted_path():
    assert dotted_path(dotted_path) == "django_altoviz.signals.names.dotted_path"
    assert dotted_path(Callable_()) == "tests.test_catalogue.Callable_"
    assert dotted_path(Callable_().method) == "tests.test_catalogue.Callable_.method"


def test_a_long_name_is_shortened_and_stays_unique():
    names = set()
    for letter in "ab":

        def receiver(**kwargs):
            pass

        receiver.__qualname__ = "x" * 300 + letter
        names.add(name_of(receiver))
    assert len(names) == 2
    assert {len(name) <= 245 for name in names} == {True}


@pytest.mark.django_db
def test_the_migrations_are_complete(capsys):
    call_command("makemigrations", "--check", "--dry-run")


@pytest.mark.django_db
def test_the_migrations_do_not_depend_on_default_auto_field(settings):
    settings.DEFAULT_AUTO_FIELD = "django.db.models.UUIDField"
    call_command("makemigrations", "django_altoviz", "--check", "--dry-run")

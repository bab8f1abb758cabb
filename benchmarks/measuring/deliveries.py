"""Signed events for each site, of 2.2 to 2.5 KB each. Only invoices are larger."""

from __future__ import annotations

import hmac
import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.measuring.load import Delivery, request_of
from benchmarks.sites import secrets
from django_altoviz.event_types import EventType
from django_altoviz.intake.envelopes import Envelope
from django_altoviz.intake.signing import sign
from django_altoviz.samples import new_event_id, sample, to_body

OBJECTS = 500
_NOTE = "Livraison uniquement le matin, quai n° 2 ; prévenir M. Brûlé la veille. "


def customers(path: str, first_id: int = 1000) -> Iterator[Delivery]:
    """Yield events that create 500 customers and then update them in turn."""
    created = sample(EventType.CUSTOMER_CREATED)
    updated = sample(EventType.CUSTOMER_UPDATED)
    for number in itertools.count():
        envelope = created if number < OBJECTS else updated
        changed = {
            "id": first_id + number % OBJECTS,
            "number": f"C{number % OBJECTS:06}",
            "phone": f"04 65 {number % 1_000_000:06}",
            "internalNotes": _NOTE * 9,
        }
        yield _altoviz_delivery(path, envelope, changed)


def invoices(path: str, first_id: int = 1000) -> Iterator[Delivery]:
    """Yield events that create 500 invoices of ten lines and then update them in turn.

    Every fourth update changes the lines.
    """
    created, updated = sample(EventType.INVOICE_CREATED), sample(EventType.INVOICE_UPDATED)
    line = created.data["lines"][0]
    for number in itertools.count():
        envelope, visit = (created if number < OBJECTS else updated), number // OBJECTS
        changed = {
            "id": first_id + number % OBJECTS,
            "number": f"F{number % OBJECTS:06}",
            "balance": number,
            "lines": [line | {"id": n, "quantity": 1 + visit // 4} for n in range(10)],
        }
        yield _altoviz_delivery(path, envelope, changed)


def _altoviz_delivery(path: str, envelope: Envelope, changed: dict[str, Any]) -> Delivery:
    event_id = new_event_id()
    body = to_body(Envelope(event_id, envelope.type, envelope.data | changed))
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "X-Signature": sign(body, secrets.ALTOVIZ),
    }
    return Delivery(event_id, request_of(path, body, headers))


def stripe_customers(path: str) -> Iterator[Delivery]:
    """Yield ``customer.updated`` events, for which dj-stripe fetches the customer."""
    for number in itertools.count():
        yield _stripe_delivery(path, "customer.updated", stripe_customer(f"cus_{number % OBJECTS}"))


def stripe_customer(id: str) -> dict[str, Any]:
    address = {"city": "Saint-Étienne", "country": "FR", "postal_code": "42000", "state": None}
    return {
        "id": id,
        "object": "customer",
        "address": address | {"line1": "14 bis rue de l'Échaudé", "line2": "Bâtiment C"},
        "balance": 0,
        "created": 1790000000,
        "currency": "eur",
        "default_source": None,
        "delinquent": False,
        "description": _NOTE * 14,
        "discount": None,
        "email": "compta@fonderie-brule.example",
        "invoice_prefix": "0759376C",
        "invoice_settings": {"custom_fields": None, "default_payment_method": None},
        "livemode": False,
        "metadata": {"crm": "7f3a91"},
        "name": "Fonderie Brûlé & Fils",
        "next_invoice_sequence": 2,
        "phone": "+33465712040",
        "preferred_locales": ["fr"],
        "shipping": {"name": "Zoé Brûlé", "phone": None, "address": address},
        "tax_exempt": "none",
        "test_clock": None,
    }


def stripe_payment_methods(path: str) -> Iterator[Delivery]:
    """Yield ``payment_method.detached`` events, whose object dj-stripe mirrors without fetching it."""
    billing = {"name": "Zoé Brûlé", "email": "compta@fonderie-brule.example", "phone": None}
    card = {"brand": "visa", "country": "FR", "exp_month": 8, "exp_year": 2030, "last4": "4242"}
    for number in itertools.count():
        method = {
            "id": f"pm_{number % OBJECTS}",
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": billing,
            "card": card | {"fingerprint": "Xt5EWLLDS7FJjR1c", "funding": "credit"},
            "created": 1790000000,
            "customer": None,
            "livemode": False,
            "metadata": {f"note{n}": _NOTE * 2 for n in range(9)},
            "type": "card",
        }
        yield _stripe_delivery(path, "payment_method.detached", method)


def _stripe_delivery(path: str, type: str, object: dict[str, Any]) -> Delivery:
    event_id = f"evt_{new_event_id()[4:]}"
    event = {
        "id": event_id,
        "object": "event",
        "api_version": "2026-05-27.dahlia",
        "created": 1790000000,
        "data": {"object": object},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": "req_benchmark", "idempotency_key": None},
        "type": type,
    }
    body = json.dumps(event, ensure_ascii=False).encode()
    moment = int(time.time())
    signature = hmac.digest(secrets.STRIPE.encode(), b"%d.%b" % (moment, body), "sha256").hex()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": f"t={moment},v1={signature}",
    }
    return Delivery(event_id, request_of(path, body, headers))


def github_issues(path: str) -> Iterator[Delivery]:
    """Yield ``issues`` events, which django-github-app stores; they have no handler."""
    user = {"login": "zoe", "id": 1, "type": "User", "site_admin": False}
    repository = {"id": 2, "name": "shop", "full_name": "brule/shop", "private": True}
    for number in itertools.count():
        event_id = new_event_id()
        event = {
            "action": "edited",
            "issue": {
                "id": number,
                "node_id": event_id,
                "number": number % OBJECTS,
                "title": "Bons de livraison",
                "state": "open",
                "user": user,
                "labels": [],
                "body": _NOTE * 22,
            },
            "changes": {"title": {"from": "Livraison"}},
            "repository": repository | {"owner": user},
            "sender": user,
        }
        body = json.dumps(event, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "issues",
            "X-GitHub-Delivery": event_id,
            "X-Hub-Signature-256": "sha256="
            + hmac.digest(secrets.GITHUB.encode(), body, "sha256").hex(),
        }
        yield Delivery(event_id, request_of(path, body, headers))

"""Unusual deliveries, each with the expected answer and the expected status of its event."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from django_altoviz.event_types import EventType
from django_altoviz.intake.signing import SIGNATURE_HEADER, digest, sign
from django_altoviz.samples import new_event_id, sample, sample_body, to_body

SECRET = "secret-of-the-demonstration"

Signer = Callable[[bytes], str]


@dataclass(frozen=True)
class Delivery:
    """A delivery and the answer that the webhook must give.

    ``event`` is the expected status of the stored event. It is "" if nothing must be stored.
    """

    what: str
    how: str
    body: bytes
    signature: str | None
    status: int
    answer: str
    event: str = ""

    def post(self, url: str) -> requests.Response:
        # Altoviz declares its JSON as plain text.
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self.signature is not None:
            headers[SIGNATURE_HEADER] = self.signature
        return requests.post(url, data=self.body, headers=headers, timeout=60)


# The encoding of the signature's 32 bytes is undocumented, so the webhook accepts each usual one.


def lowercase_hex(body: bytes) -> str:
    return sign(body, SECRET)


def uppercase_hex(body: bytes) -> str:
    return sign(body, SECRET).upper()


def dashed_hex(body: bytes) -> str:
    return digest(body, SECRET).hex("-").upper()


def prefixed_hex(body: bytes) -> str:
    return "sha256=" + sign(body, SECRET)


def padded_base64(body: bytes) -> str:
    return base64.b64encode(digest(body, SECRET)).decode()


def url_safe_base64(body: bytes) -> str:
    return base64.urlsafe_b64encode(digest(body, SECRET)).decode().rstrip("=")


def new(name: str, signer: Signer, note: str = "") -> Delivery:
    """Return the first delivery of the sample of that type."""
    body = sample_body(EventType(name))
    return Delivery(name, _how(signer, note), body, signer(body), 200, "stored", "processed")


def repeated(name: str, signer: Signer) -> Delivery:
    """Return a repeated delivery of the same event, which the project only counts."""
    body = sample_body(EventType(name))
    how = _how(signer, "repeated")
    return Delivery(name, how, body, signer(body), 200, "known", "processed")


def changed(name: str, note: str, event: str = "processed", **data: Any) -> Delivery:
    """Return a new event: the sample with some changed fields."""
    body = _changed_body(name, **data)
    return Delivery(
        name, _how(lowercase_hex, note), body, lowercase_hex(body), 200, "stored", event
    )


def forged(name: str, note: str, signer: Signer | None) -> Delivery:
    """Return an event whose sender does not know the secret."""
    body = _changed_body(name)
    signature = signer(body) if signer else None
    return Delivery(name, note, body, signature, 401, "invalid signature")


def _how(signer: Signer, note: str) -> str:
    encoding = signer.__name__.replace("_", " ")
    return f"{encoding}, {note}" if note else encoding


def _changed_body(name: str, **data: Any) -> bytes:
    envelope = sample(EventType(name))
    return to_body(type(envelope)(new_event_id(), envelope.type, envelope.data | data))


def not_understood(
    what: str, how: str, body: bytes, status: int, answer: str, event: str
) -> Delivery:
    """Return an authentic delivery that the project does not understand."""
    return Delivery(what, f"lowercase hex, {how}", body, lowercase_hex(body), status, answer, event)


def unusual_deliveries() -> list[Delivery]:
    """Return all deliveries, in the order in which to send them."""
    unknown = b'{"id": "evt_61yxmv6akbc9wol6l3sb05h6t", "type": "CreditCreated", "data": {"id": 7}}'
    return [
        # An invoice comes before its customer and its products, and some events come twice.
        new("InvoiceCreated", lowercase_hex, "before its customer"),
        new("CustomerCreated", uppercase_hex),
        repeated("CustomerCreated", lowercase_hex),
        new("ProductCreated", dashed_hex),
        new("InvoiceUpdated", padded_base64),
        repeated("InvoiceUpdated", url_safe_base64),
        repeated("InvoiceCreated", prefixed_hex),
        new("CustomerUpdated", url_safe_base64),
        new("ProductUpdated", prefixed_hex),
        new("ContactCreated", lowercase_hex),
        new("ContactUpdated", uppercase_hex),
        # Events have no timestamp, so the last new event wins ...
        new("QuoteUpdated", lowercase_hex, "before QuoteCreated"),
        new("QuoteCreated", lowercase_hex, "after QuoteUpdated"),
        # ... but a repeated delivery changes nothing.
        repeated("QuoteUpdated", dashed_hex),
        changed("QuoteUpdated", "another quote", id=98155, status="Accepted"),
        changed("QuoteCreated", "another quote, late", id=98155, status="Pending"),
        changed("QuoteUpdated", "another quote, again", id=98155, status="Invoiced"),
        # Deletions of unknown objects leave tombstones, which an update does not revive.
        new("CustomerDeleted", padded_base64),
        changed("CustomerUpdated", "after its deletion", "ignored", id=418311),
        repeated("CustomerDeleted", lowercase_hex),
        new("ContactDeleted", dashed_hex),
        new("ProductDeleted", lowercase_hex),
        new("InvoiceDeleted", lowercase_hex),
        new("QuoteDeleted", url_safe_base64),
        # Authentic deliveries are kept, even if they can't be understood.
        not_understood("CreditCreated", "unknown event type", unknown, 200, "stored", "ignored"),
        not_understood("<ping/>", "not JSON", b"<ping/>", 400, "malformed", "malformed"),
        # Deliveries that are not authentic are refused.
        forged("InvoiceUpdated", "signature of another body", lambda body: lowercase_hex(b"{}")),
        forged(
            "InvoiceDeleted",
            "signed with another secret",
            lambda body: sign(body, "secret-of-another"),
        ),
        forged("CustomerUpdated", "no signature", None),
    ]

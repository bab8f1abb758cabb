"""What the demonstration sends, and beside each delivery what has to become of it."""

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
    """What is posted, and the answer it has to get.

    ``event`` is the status in which the event has to be found at the end, "" where nothing may be
    stored.
    """

    what: str
    how: str
    body: bytes
    signature: str | None
    status: int
    answer: str
    event: str = ""

    def post(self, url: str) -> requests.Response:
        # Altoviz calls its JSON plain text.
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        if self.signature is not None:
            headers[SIGNATURE_HEADER] = self.signature
        return requests.post(url, data=self.body, headers=headers, timeout=60)


# How the 32 bytes of the signature are written is documented nowhere, so each usual way is accepted.


def hex_lower(body: bytes) -> str:
    return sign(body, SECRET)


def hex_upper(body: bytes) -> str:
    return sign(body, SECRET).upper()


def hex_dashed(body: bytes) -> str:
    return digest(body, SECRET).hex("-").upper()


def hex_prefixed(body: bytes) -> str:
    return "sha256=" + sign(body, SECRET)


def base64_padded(body: bytes) -> str:
    return base64.b64encode(digest(body, SECRET)).decode()


def base64_url(body: bytes) -> str:
    return base64.urlsafe_b64encode(digest(body, SECRET)).decode().rstrip("=")


def new(name: str, signer: Signer, note: str = "") -> Delivery:
    """The first delivery of the sample of that type."""
    body = sample_body(EventType(name))
    return Delivery(name, _how(signer, note), body, signer(body), 200, "stored", "processed")


def again(name: str, signer: Signer) -> Delivery:
    """A further delivery of it, which is only counted."""
    body = sample_body(EventType(name))
    how = _how(signer, "delivered again")
    return Delivery(name, how, body, signer(body), 200, "known", "processed")


def changed(name: str, note: str, event: str = "processed", **data: Any) -> Delivery:
    """A new event, like the sample but for some of its data."""
    body = _changed_body(name, **data)
    return Delivery(name, _how(hex_lower, note), body, hex_lower(body), 200, "stored", event)


def forged(name: str, note: str, signer: Signer | None) -> Delivery:
    """An event that nobody who knows the secret has signed."""
    body = _changed_body(name)
    signature = signer(body) if signer else None
    return Delivery(name, note, body, signature, 401, "invalid signature")


def _how(signer: Signer, note: str) -> str:
    encoding = signer.__name__.replace("_", " ")
    return f"{encoding}, {note}" if note else encoding


def _changed_body(name: str, **data: Any) -> bytes:
    envelope = sample(EventType(name))
    return to_body(type(envelope)(new_event_id(), envelope.type, envelope.data | data))


def strange(what: str, how: str, body: bytes, status: int, answer: str, event: str) -> Delivery:
    """Something that Altoviz has signed, and that is not understood."""
    return Delivery(what, f"hex lower, {how}", body, hex_lower(body), status, answer, event)


def all_deliveries() -> list[Delivery]:
    """In the order in which they are sent."""
    unknown = b'{"id": "evt_61yxmv6akbc9wol6l3sb05h6t", "type": "CreditCreated", "data": {"id": 7}}'
    return [
        # An invoice before its customer and its products; and everything may come twice.
        new("InvoiceCreated", hex_lower, "before its customer"),
        new("CustomerCreated", hex_upper),
        again("CustomerCreated", hex_lower),
        new("ProductCreated", hex_dashed),
        new("InvoiceUpdated", base64_padded),
        again("InvoiceUpdated", base64_url),
        again("InvoiceCreated", hex_prefixed),
        new("CustomerUpdated", base64_url),
        new("ProductUpdated", hex_prefixed),
        new("ContactCreated", hex_lower),
        new("ContactUpdated", hex_upper),
        # Nothing in an event tells its age, so the one that is received last is what holds ...
        new("QuoteUpdated", hex_lower, "before QuoteCreated"),
        new("QuoteCreated", hex_lower, "after QuoteUpdated"),
        # ... but one that was received before is no news.
        again("QuoteUpdated", hex_dashed),
        changed("QuoteUpdated", "another quote", id=98155, status="Accepted"),
        changed("QuoteCreated", "another quote, late", id=98155, status="Pending"),
        changed("QuoteUpdated", "another quote, again", id=98155, status="Invoiced"),
        # Deletions of objects that nothing was heard of before, and what comes too late for one.
        new("CustomerDeleted", base64_padded),
        changed("CustomerUpdated", "after its deletion", "ignored", id=418311),
        again("CustomerDeleted", hex_lower),
        new("ContactDeleted", hex_dashed),
        new("ProductDeleted", hex_lower),
        new("InvoiceDeleted", hex_lower),
        new("QuoteDeleted", base64_url),
        # What is authentic is kept, whether or not it is understood.
        strange("CreditCreated", "unknown type", unknown, 200, "stored", "ignored"),
        strange("<ping/>", "not JSON", b"<ping/>", 400, "malformed", "malformed"),
        # And nothing else gets in.
        forged("InvoiceUpdated", "the signature of another body", lambda body: hex_lower(b"{}")),
        forged("InvoiceDeleted", "another secret", lambda body: sign(body, "secret-of-another")),
        forged("CustomerUpdated", "no signature", None),
    ]

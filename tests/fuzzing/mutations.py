"""Deliveries made from the samples: mostly right, and wrong in many ways at once."""

from __future__ import annotations

import base64
import copy
import json
import random
from dataclasses import dataclass

from django_altoviz.event_types import EventType
from django_altoviz.intake import signing
from django_altoviz.samples import sample_body
from tests.conftest import SECRETS

RAW = "\x01raw:"
#: JSON that json.dumps can't write.
RAW_VALUES = [
    "1E+5000", "-1E-5000", "1E999999999", "1E-999999999", "9" * 5000, "-0", "-0.0", "NaN",
    "1e5", "0.1" + "0" * 400 + "1", "9223372036854775808", "-9223372036854775809", "Infinity",
    '"\\ud800"', '"\\u0000"', '"a\\udfffb\\u0000"', "[" * 500 + "]" * 500, '{"a":1,"a":2}',
]  # fmt: skip
VALUES = [
    None, True, False, 0, 1, -1, 2**31, 2**63, -(2**63) - 1, 0.1, 1e300, "", " ", "0", "true", "x" * 300,
    "x" * 70_000, "é😀\x85\x1f", "<script>alert(1)</script>", "'; DROP TABLE x; --", "{{ 7*7 }}", "%s%n",
    "javascript:alert(1)", "../../etc/passwd", "2026-11-25", "2026-02-30", "0001-01-01T00:00:00",
    "9999-12-31T23:59:59.9999999", "2026-11-25T08:30:00+14:00", "24:00", "Draft", "Paid", "Accepted",
    [], {}, [[]], [None], [{}], [{"id": 1}, {"id": 1}], {"id": None}, {"": ""}, {"a" * 300: 1},
    [1] * 200, {"id": 7, "number": 5, "lines": [{}] * 20}, "evt_1", "CustomerUpdated",
]  # fmt: skip
CONTENT_TYPES = [
    "text/plain; charset=utf-8",
    "application/json",
    "",
    "multipart/form-data",
    "x" * 500,
]
ADDRESSES = ["20.23.10.180", "unknown", "::1, 1.2.3.4:80", "," * 200, "é"]


@dataclass
class Delivery:
    path: str
    body: bytes
    headers: dict[str, str]
    #: True if the signature is right for the account in the path.
    is_authentic: bool


class Mutator(random.Random):
    def delivery(self) -> Delivery:
        body = self.body()
        account = self.choice(["default"] * 6 + ["acme"] * 2 + ["nobody", "%00", "é" * 90])
        path = "/altoviz/webhook/" + ("" if account == "default" else f"{account}/")
        is_authentic = account in SECRETS and self.random() < 0.85
        signature = self.signature(body, SECRETS.get(account, "none"))
        if not is_authentic:
            signature = self.wrong_signature(body, account)
        headers = {
            "Content-Type": self.choice(CONTENT_TYPES),
            "X-Forwarded-For": self.choice(ADDRESSES),
        }
        if signature is not None:
            headers[signing.SIGNATURE_HEADER] = signature
        return Delivery(path, body, headers, is_authentic)

    def signature(self, body: bytes, secret: str) -> str:
        text = signing.sign(body, secret)
        encoded = base64.b64encode(bytes.fromhex(text)).decode()
        return self.choice([text, text.upper(), f"sha256={text}", encoded, encoded.rstrip("=")])

    def wrong_signature(self, body: bytes, account: str) -> str | None:
        others = [secret for name, secret in SECRETS.items() if name != account]
        right = signing.sign(body, SECRETS.get(account, "none"))
        return self.choice(
            [None, "", "0" * 64, right[:-2], right[::-1], "x" * 300, right + "00"]
            + [signing.sign(body, secret) for secret in others]
            + [signing.sign(body + b" ", SECRETS.get(account, "none"))]
        )

    def body(self) -> bytes:
        envelope = json.loads(sample_body(self.choice([*EventType])))
        envelope["data"]["id"] = self.randint(1, 40)
        if self.random() < 0.3:
            envelope["id"] = f"evt_{self.randint(1, 60)}"
        for _ in range(self.choice([0, 1, 1, 2, 3, 6])):
            self.change(envelope)
        text = json.dumps(envelope, ensure_ascii=self.random() < 0.5)
        for value in RAW_VALUES:
            text = text.replace(json.dumps(RAW + value), value)
            text = text.replace(json.dumps(RAW + value, ensure_ascii=False), value)
        body = text.encode()
        while self.random() < 0.15:
            body = self.spoilt(body)
        return body

    def change(self, node) -> None:
        """Replace, remove or add something at a random place."""
        while isinstance(node, (dict, list)) and node:
            keys = [*node] if isinstance(node, dict) else [*range(len(node))]
            key = self.choice(keys)
            if isinstance(node[key], (dict, list)) and node[key] and self.random() < 0.8:
                node = node[key]
                continue
            action = self.random()
            if action < 0.15:
                del node[key]
            elif action < 0.25 and isinstance(node, dict):
                node[self.choice(["unknown", "id", "", "a.b", "x" * 200])] = self.value()
            else:
                node[key] = self.value()
            return

    def value(self):
        if self.random() < 0.3:
            return RAW + self.choice(RAW_VALUES)
        return copy.deepcopy(self.choice(VALUES))

    def spoilt(self, body: bytes) -> bytes:
        place, end = sorted(self.randint(0, len(body)) for _ in range(2))
        end = min(end, place + 200)
        return self.choice(
            [
                body[:place],
                body[:place] + self.randbytes(3) + body[place:],
                body[:place] + body[end:],
                body[:end] + body[place:end] + body[end:],
                b"\xef\xbb\xbf" + body,
                body.replace(b'"', b"'", 1),
                self.randbytes(self.randint(0, 300)),
            ]
        )

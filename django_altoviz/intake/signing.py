"""X-SIGNATURE: HMAC-SHA256 of the raw body, keyed with the webhook's secret [documented].

How the header encodes the 32 bytes is not documented, so each usual encoding is accepted. All encode
the same 32 bytes, so accepting them weakens nothing.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable

from django_altoviz.exceptions import InvalidSignature

SIGNATURE_HEADER = "X-SIGNATURE"

_PREFIX = re.compile(r"(?:sha256|v1)=", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_DASHED_HEX = re.compile(r"[0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2}){31}")
_BASE64 = re.compile(r"[0-9A-Za-z+/_-]{43}=?")


def digest(body: bytes, secret: str) -> bytes:
    """Return the HMAC of the body. The key is the secret, as text in UTF-8 [inferred]."""
    return hmac.digest(secret.encode(), body, "sha256")


def sign(body: bytes, secret: str) -> str:
    """Return the value of the ``X-SIGNATURE`` header, in lower-case hexadecimal."""
    return digest(body, secret).hex()


def decode(header: str) -> tuple[bytes, str] | None:
    """Decode a header's value. Return the 32 bytes and the name of the encoding, or ``None``."""
    text = _PREFIX.sub("", header.strip().strip("\"'").strip(), count=1)
    if _HEX.fullmatch(text):
        return bytes.fromhex(text), "hex"
    if _DASHED_HEX.fullmatch(text):
        return bytes.fromhex(text.replace("-", "")), "dashed hex"
    if _BASE64.fullmatch(text):
        standard = text.rstrip("=").replace("-", "+").replace("_", "/") + "="
        return base64.b64decode(standard), "base64"
    return None


def verify(body: bytes, header: str, secrets: Iterable[str]) -> str:
    """Verify that the header signs the body with one of the secrets. Return its encoding's name.

    An empty secret counts for none, because everybody knows it.

    Raises:
        InvalidSignature: the header is missing, unreadable, or signs another body or with another
            secret.
    """
    signature = decode(header)
    is_right = signature is not None and _is_signed(body, signature[0], secrets)
    # An error report shows the variables of each function that an exception has passed.
    del secrets
    if signature is None:
        raise InvalidSignature("no signature" if not header.strip() else "unreadable signature")
    if not is_right:
        raise InvalidSignature("wrong signature")
    return signature[1]


def _is_signed(body: bytes, received: bytes, secrets: Iterable[str]) -> bool:
    # Compare bytes, because compare_digest raises TypeError on text outside ASCII. Compare with every
    # secret, so that the time taken does not reveal which one matched.
    matches = [hmac.compare_digest(received, digest(body, secret)) for secret in secrets if secret]
    return any(matches)

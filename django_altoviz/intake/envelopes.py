"""The body of a delivery: ``{"id": ..., "type": ..., "data": ...}`` in UTF-8 [observed].

The body is stored as text, from which the exact bytes can be recovered. This module also says which
text and which integers every supported database can store.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django_altoviz import exact_json
from django_altoviz.exceptions import MalformedBody

MAX_ID_LENGTH = 255
MAX_TYPE_LENGTH = 100
#: The beginning of an event's own id [observed].
EVENT_ID_PREFIX = "evt_"
#: The largest integer that every database stores: 64 bits with a sign.
MAX_INTEGER = 2**63 - 1

_NUL = "\x00"
# NUL, which PostgreSQL refuses, and lone surrogates, which can't be encoded in UTF-8.
_UNSTORABLE = f"{_NUL}\ud800-\udfff"
#: A character that a database may refuse to store.
UNSTORABLE = re.compile(f"[{_UNSTORABLE}]")

# JSON has no raw control characters except white space. So a body that is JSON is stored unchanged,
# and only other bodies are ever escaped.
_ESCAPE = "\x1b"
# Each byte that is escaped, as Python decodes it: those that are not UTF-8 to lone surrogates.
_BYTES = {byte: byte if byte < 0x80 else 0xDC00 + byte for byte in (0, 0x1B, *range(0x80, 0x100))}
_ESCAPES = {ordinal: f"{_ESCAPE}{byte:02x}" for byte, ordinal in _BYTES.items()}
_UNESCAPES = {escape: chr(ordinal) for ordinal, escape in _ESCAPES.items()}
_ESCAPED = re.compile(_ESCAPE + "[0-9a-f]{2}")


def body_to_text(body: bytes) -> str:
    """Return the body as text for the database. Escape NUL and bytes that are not UTF-8."""
    if b"\0" not in body and b"\x1b" not in body:
        with contextlib.suppress(UnicodeDecodeError):
            return body.decode()  # the usual case, and several times faster
    return body.decode("utf-8", "surrogateescape").translate(_ESCAPES)


def text_to_body(text: str) -> bytes:
    """Return the bytes that ``body_to_text`` was given."""
    unescaped = _ESCAPED.sub(lambda match: _UNESCAPES.get(match[0], match[0]), text)
    return unescaped.encode("utf-8", "surrogateescape")


def stored_json(text: str) -> str:
    """Return the JSON in a stored body, without a byte order mark, as ``parse_envelope`` reads it."""
    return text_to_body(text).decode("utf-8-sig")


def storable(text: str) -> str:
    """Escape the characters that a database may refuse, in text of any origin (an error, a header)."""
    # Several times faster than UNSTORABLE.sub().
    return text.replace(_NUL, r"\x00").encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class Envelope:
    """A well-formed event.

    ``event_id`` is "" if the envelope has no id. ``object_id`` is ``None`` if the data have no valid
    id: the bodies of deletions are not documented anywhere.
    """

    event_id: str
    type: str
    data: Any

    @property
    def object_id(self) -> int | None:
        return object_id_of(self.data)

    @property
    def has_event_id(self) -> bool:
        """Return True if ``event_id`` identifies the event.

        Older documents show the webhook's id instead, which all its events share [documented].
        """
        return self.event_id.startswith(EVENT_ID_PREFIX)


def object_id_of(data: Any) -> int | None:
    """Return the id of an object, or ``None`` if it has no valid one."""
    return valid_id(data.get("id")) if isinstance(data, dict) else None


def valid_id(value: Any) -> int | None:
    """Return the value as the id of an object, or ``None`` if it can't be one."""
    number = _to_int_if_whole(value)
    if isinstance(number, bool) or not isinstance(number, int):
        return None
    return number if 0 < number <= MAX_INTEGER else None


def _to_int_if_whole(value: Any) -> Any:
    """Convert ``418206.0`` to an integer, because Altoviz writes some integers so [observed]."""
    # int() of a Decimal with a huge exponent would use up the memory, so test the exponent first.
    is_whole = isinstance(value, Decimal) and abs(value.adjusted()) < 20 and value == int(value)
    return int(value) if is_whole else value


def parse_envelope(body: bytes) -> Envelope:
    """Parse the body of a delivery.

    Raises:
        MalformedBody: the body is not an event.
    """
    try:
        envelope = exact_json.loads(body.decode("utf-8-sig"))
    except ValueError as error:
        raise MalformedBody(f"The body is not JSON in UTF-8: {error}") from error
    if not isinstance(envelope, dict):
        raise MalformedBody("The body is not a JSON object.")
    return Envelope(
        event_id=_event_id(envelope.get("id")),
        type=_printable(envelope.get("type"), "type", MAX_TYPE_LENGTH),
        data=envelope.get("data"),
    )


def _event_id(value: Any) -> str:
    if value is None or value == "":
        return ""
    value = _to_int_if_whole(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return _printable(value, "id", MAX_ID_LENGTH)


def _printable(value: Any, key: str, limit: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= limit or not value.isprintable():
        raise MalformedBody(f'"{key}" is not a text of 1 to {limit} printable characters.')
    return value

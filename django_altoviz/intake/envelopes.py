"""What Altoviz posts: ``{"id": ..., "type": ..., "data": ...}`` in UTF-8 [observed], kept as text."""

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
MAX_OBJECT_ID = 2**63 - 1

# JSON has no raw control characters but white space, so a body that is JSON is kept letter for
# letter, and only what is none is ever escaped.
_ESCAPE = "\x1b"
_UNSTORABLE = re.compile("[\x00\x1b\udc80-\udcff]")
_ESCAPED = re.compile(_ESCAPE + "([0-9a-f]{2})")


def body_to_text(body: bytes) -> str:
    """The body as text that every database takes: NUL, and what is not UTF-8, is escaped."""
    if b"\0" not in body and b"\x1b" not in body:
        with contextlib.suppress(UnicodeDecodeError):
            return body.decode()  # as good as always, and told several times as fast
    text = body.decode("utf-8", "surrogateescape")
    return _UNSTORABLE.sub(lambda match: f"{_ESCAPE}{ord(match[0]) & 0xFF:02x}", text)


def text_to_body(text: str) -> bytes:
    """The bytes that ``body_to_text`` was given."""
    escaped = _ESCAPED.sub(lambda match: _unescape(int(match[1], 16)), text)
    return escaped.encode("utf-8", "surrogateescape")


def _unescape(byte: int) -> str:
    return chr(byte) if byte < 0x80 else chr(0xDC00 + byte)


def storable(text: str) -> str:
    """Text of any origin (an error, a header) without what some databases refuse."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class Envelope:
    """An understandable event.

    ``event_id`` is "" where the envelope has none. ``object_id`` is ``None`` where the data tells no
    id that could be one: the bodies of deletions are documented nowhere.
    """

    event_id: str
    type: str
    data: Any

    @property
    def object_id(self) -> int | None:
        return object_id_of(self.data)

    @property
    def has_event_id(self) -> bool:
        """Whether ``event_id`` is the event's own. Older documents have the webhook's there instead,
        which is the same for all its events [documented]."""
        return self.event_id.startswith("evt_")


def object_id_of(data: Any) -> int | None:
    """The id of an object, or ``None`` where it can't be one."""
    number = _whole(data.get("id") if isinstance(data, dict) else None)
    if isinstance(number, bool) or not isinstance(number, int):
        return None
    return number if 0 < number <= MAX_OBJECT_ID else None


def _whole(value: Any) -> Any:
    """The integer where a whole number is written ``418206.0``, as Altoviz writes some; else the same."""
    is_whole = isinstance(value, Decimal) and abs(value.adjusted()) < 20 and value == int(value)
    return int(value) if is_whole else value


def parse_envelope(body: bytes) -> Envelope:
    """Understand a body.

    Raises:
        MalformedBody: the body is not an event's.
    """
    try:
        envelope = exact_json.loads(body.decode("utf-8-sig"))
    except ValueError as error:
        raise MalformedBody(f"The body is not JSON in UTF-8: {error}") from error
    if not isinstance(envelope, dict):
        raise MalformedBody("The body is not a JSON object.")
    return Envelope(
        event_id=_event_id(envelope.get("id")),
        type=_name(envelope.get("type"), "type", MAX_TYPE_LENGTH),
        data=envelope.get("data"),
    )


def _event_id(value: Any) -> str:
    if value is None or value == "":
        return ""
    value = _whole(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return _name(value, "id", MAX_ID_LENGTH)


def _name(value: Any, key: str, limit: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= limit or not value.isprintable():
        raise MalformedBody(f'"{key}" is not a text of 1 to {limit} printable characters.')
    return value

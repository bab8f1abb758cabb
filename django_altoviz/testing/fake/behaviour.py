"""The switches of the fake: what is not known of Altoviz, and what may go wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Behaviour:
    """How the fake behaves where Altoviz's behaviour is unknown, has changed, or is a nuisance.

    The defaults are what was observed or is documented, or else the likeliest. Probabilities are
    between 0 and 1.
    """

    # -- The API --

    #: Requests in any ``quota_seconds`` seconds; one more is answered 429. ``None``: any number.
    quota: int | None = 100
    quota_seconds: float = 60.0
    #: What ``Retry-After`` counts in.
    retry_after: Literal["milliseconds", "seconds"] = "milliseconds"
    #: Whether lists tell their length in headers.
    paging_headers: bool = True
    #: Whether documents in lists have their lines, or ``null`` in their place.
    lines_in_lists: bool = True
    #: Objects have fields that no documentation knows.
    unknown_fields: bool = False
    #: Objects as in February 2024: other customer types, fewer fields.
    legacy: bool = False

    # -- The management of webhooks --

    #: Whether a registration is answered with the webhook's id, or with 0.
    tells_webhook_id: bool = False
    #: The seconds by which each look at the list is behind, in turn.
    list_lag: tuple[float, ...] = (2.0,)
    #: How the list shows secrets.
    shows_secrets: Literal["clear", "masked", "null"] = "clear"

    # -- Deliveries --

    signature: Literal["hex", "HEX", "dashed", "base64", "base64url"] = "hex"
    content_type: str | None = "text/plain; charset=utf-8"
    user_agent: str | None = None
    #: Whose id an event has: its own, or, as in old documents, the webhook's.
    event_ids: Literal["event", "webhook"] = "event"
    #: What is left of a deleted object in its event.
    deleted_data: Literal["full", "id", "null"] = "full"
    #: When the contact that comes with a new customer is told of.
    contact_event: Literal["after", "before", "never"] = "after"
    #: Whether a payment is told of, as InvoiceUpdated.
    payment_event: bool = False
    drop: float = 0.0
    duplicate: float = 0.0
    #: An event comes after up to three later ones.
    reorder: float = 0.0
    #: An event, and all behind it, comes up to ``delay_seconds`` seconds late.
    delay: float = 0.0
    delay_seconds: float = 1.0

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in fields(self):
            read = _read(field.name, getattr(self, field.name), hints[field.name])
            object.__setattr__(self, field.name, read)
        for name in ("drop", "duplicate", "reorder", "delay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability, between 0 and 1.")


def _read(name: str, value: Any, hint: Any) -> Any:
    """The value of a switch, which may come from JSON. Raises ``ValueError``."""
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise ValueError(f"{name} is one of {', '.join(get_args(hint))}.")
    if hint is bool and not isinstance(value, bool):
        raise ValueError(f"{name} is either true or false.")
    try:
        if hint is float:
            return float(value)
        if get_origin(hint) is tuple:
            return tuple(map(float, value)) or (0.0,)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} can't be {value!r}.") from error
    return value

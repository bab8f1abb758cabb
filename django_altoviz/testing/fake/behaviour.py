"""Switches of the fake: unknowns about Altoviz, and faults to inject."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Behaviour:
    """Switches for behaviour of Altoviz that is unknown, has changed, or causes trouble.

    The defaults are what is documented or was observed, or else what is most likely. Probabilities
    are between 0 and 1.
    """

    # -- The API --

    #: Rate limit: the requests in any ``quota_seconds`` seconds; further ones get a 429. ``None``: no
    #: limit.
    quota: int | None = 100
    quota_seconds: float = 60.0
    #: The unit of ``Retry-After`` in a 429.
    retry_after: Literal["milliseconds", "seconds"] = "milliseconds"
    #: If true, lists have headers with their length and their pages.
    paging_headers: bool = True
    #: The filter of invoices by ``Status``. It is documented, but nobody has seen it work.
    status_filter: Literal["honoured", "ignored", "refused"] = "honoured"
    #: If false, documents in lists have ``null`` for their lines.
    lines_in_lists: bool = True
    #: If true, objects have a field that is not documented.
    unknown_fields: bool = False
    #: If true, objects are as in February 2024: other customer types, fewer fields.
    legacy: bool = False

    # -- The management of webhooks --

    #: If true, a registration is answered with the webhook's id; if false, with 0.
    tells_webhook_id: bool = False
    #: The list of webhooks is shown as it was N seconds ago. Each request takes the next N.
    list_lag: tuple[float, ...] = (2.0,)
    #: The form of secrets in that list.
    shows_secrets: Literal["clear", "masked", "null"] = "clear"

    # -- Deliveries --

    signature: Literal["hex", "HEX", "dashed", "base64", "base64url"] = "hex"
    content_type: str | None = "text/plain; charset=utf-8"
    user_agent: str | None = None
    #: The ``id`` of an event: one of its own, or the webhook's, as old documentation has it.
    event_ids: Literal["event", "webhook"] = "event"
    #: The ``data`` of a deletion: the whole object, only its id, or ``null``.
    deleted_data: Literal["full", "id", "null"] = "full"
    #: The event for the contact of a new customer comes after or before the customer's own event, or
    #: never.
    contact_event: Literal["after", "before", "never"] = "after"
    #: If true, a payment emits InvoiceUpdated.
    payment_event: bool = False
    #: Probability that an event is lost.
    drop: float = 0.0
    #: Probability that an event is delivered twice.
    duplicate: float = 0.0
    #: Probability that an event is delivered after up to three later ones.
    reorder: float = 0.0
    #: Probability that an event, and all events after it, is up to ``delay_seconds`` seconds late.
    delay: float = 0.0
    delay_seconds: float = 1.0

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in fields(self):
            value = _validated(field.name, getattr(self, field.name), hints[field.name])
            object.__setattr__(self, field.name, value)
        for name in ("drop", "duplicate", "reorder", "delay"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a probability: it must be between 0 and 1.")


def _validated(name: str, value: Any, hint: Any) -> Any:
    """Return the value of a switch in its own type; ``value`` may come from JSON.

    Raises:
        ValueError: the switch can't have that value.
    """
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise ValueError(f"{name} must be one of {', '.join(get_args(hint))}.")
    if hint is bool and not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false.")
    try:
        if hint is float:
            return float(value)
        if get_origin(hint) is tuple:
            return tuple(map(float, value)) or (0.0,)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} can't be {value!r}.") from error
    return value

"""Plain text on at most 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import requests

from django_altoviz.models import Invoice
from django_altoviz.testing import FakeAltoviz

from .altoviz import check_filled, check_life, check_step, command, register
from .checks import (
    Check,
    check_answer,
    check_events,
    check_mirror,
    check_receivers,
    check_shop,
)
from .deliveries import Delivery

WIDTH = 100


def report_life(altoviz: FakeAltoviz, url: str) -> list[Check]:
    """Let the project live with Altoviz, and print how that goes."""
    said, registered = register(altoviz, url)
    print_command("altoviz_register_webhook, twice", said)
    print_checks("What is registered at the fake Altoviz", ["what", "of it", "found"], registered)
    print_command("altoviz_sync, for the first time", command("altoviz_sync"))
    filled = check_filled(altoviz)
    print_checks("What was there before", ["what", "of it", "found"], filled)
    life = check_life(altoviz)
    print_checks("What happens there", ["what happens", "arrived"], life)
    print_command("altoviz_sync, to find what was lost", command("altoviz_sync"))
    step = check_step(altoviz)
    print_checks("Whether the project is in step", ["what", "of it", "found"], step)
    return [*registered, *filled, *life, *step]


def print_command(title: str, said: str) -> None:
    print_title(f"manage.py {title}")
    for line in said.splitlines():
        print(textwrap.fill(line, WIDTH, subsequent_indent="  ", replace_whitespace=False))


def report_deliveries(
    deliveries: Sequence[Delivery], responses: Sequence[requests.Response]
) -> list[Check]:
    """Print what became of what else was posted."""
    pairs = zip(deliveries, responses, strict=True)
    answers = [check_answer(delivery, response) for delivery, response in pairs]
    events, mirror = check_events(deliveries), check_mirror()
    receivers, shop = check_receivers(), check_shop()
    print_checks("What else was sent, in an empty project", ["event", "how", "answer"], answers)
    print_checks("What is stored", ["event", "object", "event id", "status, deliveries"], events)
    print_checks("What the mirror shows", ["object", "what", "found"], mirror)
    for invoice in Invoice.objects.all():
        print_invoice(invoice)
    print_checks("Which receivers ran", ["receiver", "what", "found"], receivers)
    print_checks("What the shop made of it", ["object", "what", "found"], shop)
    return [*answers, *events, *mirror, *receivers, *shop]


def print_checks(title: str, columns: Sequence[str], checks: Sequence[Check]) -> None:
    rows = [
        [*check.about, as_text(check.found), "yes" if check.is_right else "NO"] for check in checks
    ]
    print_title(title)
    print_table([*columns, "right"], rows)


def print_title(title: str) -> None:
    print(f"\n{title}\n{'=' * len(title)}")


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def print_invoice(invoice: Invoice) -> None:
    print(f"\nInvoice {invoice.number} of {invoice.date} for {invoice.customer}\n")
    rows = [
        [
            textwrap.shorten(line.description or "", 36, placeholder="…"),
            str(line.product or "not mirrored" if line.product_id else ""),
            as_text(line.quantity or ""),
            as_text(line.tax_excluded_price or ""),
            as_money(line.tax_excluded_amount),
        ]
        for line in invoice.lines.select_related("product")
    ]
    print_table(["line", "product in the mirror", "quantity", "price", "amount"], rows)
    print(
        f"\nWithout tax {as_money(invoice.tax_excluded_amount)}"
        f", tax {as_money(invoice.tax_amount)}"
        f", with tax {as_money(invoice.tax_included_amount)}"
        f", to be paid {as_money(invoice.balance)}"
    )


def print_verdict(checks: Sequence[Check]) -> int:
    wrong = [check for check in checks if not check.is_right]
    print_title("What is wrong" if wrong else "Verdict")
    for check in wrong:
        about = ", ".join(filter(None, check.about))
        found, expected = as_text(check.found), as_text(check.expected)
        message = f"{about}: found {found}, but it must be {expected}"
        print(textwrap.fill(message, WIDTH, initial_indent="- ", subsequent_indent="  "))
    right = len(checks) - len(wrong)
    print(f"{right} of {len(checks)} expectations are met.")
    return 1 if wrong else 0


def as_text(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(as_text, value)) or "nothing"
    return str(value)


def as_money(value: Decimal | None) -> str:
    return "" if value is None else f"{value:.2f}"

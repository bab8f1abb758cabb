"""Print the checks as plain text, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import requests

from django_altoviz.models import Invoice
from django_altoviz.testing import FakeAltoviz

from .altoviz import check_changes, check_final_state, check_import, command, register
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


def report_changes(altoviz: FakeAltoviz, url: str) -> list[Check]:
    """Register the webhook, change objects at the fake, sync, and print the checks."""
    columns = ["what", "property", "found"]
    output, registered = register(altoviz, url)
    print_command("altoviz_register_webhook (run twice)", output)
    print_checks("Webhooks registered at the fake Altoviz", columns, registered)
    print_command("altoviz_sync (the first sync imports all objects)", command("altoviz_sync"))
    imported = check_import(altoviz)
    print_checks("The mirror after the first sync", columns, imported)
    changes = check_changes(altoviz)
    print_checks("Changes at the fake Altoviz", ["change", "events delivered"], changes)
    print_command(
        "altoviz_sync (the second sync finds what no event told)", command("altoviz_sync")
    )
    final_state = check_final_state(altoviz)
    print_checks("The project after the second sync", columns, final_state)
    return [*registered, *imported, *changes, *final_state]


def print_command(title: str, output: str) -> None:
    print_title(f"manage.py {title}")
    for line in output.splitlines():
        print(textwrap.fill(line, WIDTH, subsequent_indent="  ", replace_whitespace=False))


def report_deliveries(
    deliveries: Sequence[Delivery], responses: Sequence[requests.Response]
) -> list[Check]:
    """Print the checks of the unusual deliveries: answers, events, mirror, receivers, shop."""
    pairs = zip(deliveries, responses, strict=True)
    answers = [check_answer(delivery, response) for delivery, response in pairs]
    events, mirror = check_events(deliveries), check_mirror()
    receivers, shop = check_receivers(), check_shop()
    print_checks("Unusual deliveries to an empty project", ["event", "how", "answer"], answers)
    print_checks("Stored events", ["event", "object", "event id", "status, deliveries"], events)
    print_checks("The mirror", ["object", "property", "found"], mirror)
    for invoice in Invoice.objects.all():
        print_invoice(invoice)
    print_checks("Runs of the receivers", ["receiver", "property", "found"], receivers)
    print_checks("Data that the receivers wrote", ["object", "property", "found"], shop)
    return [*answers, *events, *mirror, *receivers, *shop]


def print_checks(title: str, columns: Sequence[str], checks: Sequence[Check]) -> None:
    rows = [
        [*check.about, as_text(check.found), "yes" if check.passed else "NO"] for check in checks
    ]
    print_title(title)
    print_table([*columns, "ok"], rows)


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
            str(line.product or "not mirrored" if line.product_altoviz_id else ""),
            as_text(line.quantity or ""),
            as_text(line.tax_excluded_price or ""),
            as_money(line.tax_excluded_amount),
        ]
        for line in invoice.lines.select_related("product")
    ]
    print_table(["line", "mirrored product", "quantity", "price", "amount"], rows)
    print(
        f"\nNet {as_money(invoice.tax_excluded_amount)}"
        f", tax {as_money(invoice.tax_amount)}"
        f", total {as_money(invoice.tax_included_amount)}"
        f", balance {as_money(invoice.balance)}"
    )


def print_verdict(checks: Sequence[Check]) -> int:
    failed = [check for check in checks if not check.passed]
    print_title("Failed checks" if failed else "Result")
    for check in failed:
        about = ", ".join(filter(None, check.about))
        found, expected = as_text(check.found), as_text(check.expected)
        message = f"{about}: expected {expected}, found {found}"
        print(textwrap.fill(message, WIDTH, initial_indent="- ", subsequent_indent="  "))
    print(f"{len(checks) - len(failed)} of {len(checks)} checks passed.")
    return 1 if failed else 0


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

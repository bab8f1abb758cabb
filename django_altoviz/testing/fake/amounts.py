"""Calculate the amounts of a document: round each line, add the lines up, tax each rate."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_CENT = Decimal("0.01")


def number(value: Any) -> Decimal:
    """Return the number as Altoviz writes it: ``20`` becomes ``20.0`` [observed].

    Raises:
        ValueError: it is not a number.
    """
    try:
        exact = Decimal(str(value))
    except ArithmeticError as error:
        raise ValueError(f"{value!r} is not a number.") from error
    whole = exact.to_integral_value()
    return whole.quantize(Decimal("0.1")) if exact == whole else exact.normalize()


def rounded_to_cents(value: Decimal) -> Decimal:
    return number(value.quantize(_CENT, ROUND_HALF_UP))


def discounted(amount: Decimal, discount: dict[str, Any] | None) -> Decimal:
    """Return the amount after a discount, which is a percentage or an amount."""
    if not discount:
        return amount
    value = Decimal(str(discount["value"]))
    if discount["type"] == "Fixed":
        return amount - value
    return amount * (100 - value) / 100


def line_amounts(line: dict[str, Any]) -> dict[str, Decimal]:
    """Calculate the amounts of a line from its price, quantity, discount and tax rate."""
    price, quantity = Decimal(line["taxExcludedPrice"]), Decimal(line["quantity"])
    with_tax = 1 + _rate(line["vat"]) / 100
    amount = rounded_to_cents(discounted(price * quantity, line["discount"]))
    margin = amount - Decimal(line["purchasePrice"] or 0) * quantity
    return {
        "taxIncludedPrice": rounded_to_cents(price * with_tax),
        "taxExcludedAmount": amount,
        "taxIncludedAmount": rounded_to_cents(amount * with_tax),
        "marginAmount": rounded_to_cents(margin),
        "marginRate": rounded_to_cents(margin / amount * 100) if amount else number(0),
    }


def totals(lines: Sequence[dict[str, Any]], discount: dict[str, Any] | None) -> dict[str, Any]:
    """Calculate the totals of a document from its lines and its discount."""
    sold = [line for line in lines if line["taxExcludedAmount"] is not None]
    gross = sum((line["taxExcludedAmount"] for line in sold), Decimal(0))
    net = rounded_to_cents(discounted(gross, discount))
    share = net / gross if gross else Decimal(1)
    vats = []
    for rate, vat in {_rate(line["vat"]): line["vat"] for line in sold if line["vat"]}.items():
        parts = [line["taxExcludedAmount"] for line in sold if _rate(line["vat"]) == rate]
        base = sum(parts, Decimal(0)) * share
        vats.append(
            {
                "vat": vat,
                "taxExcludedAmount": rounded_to_cents(base),
                "vatAmount": rounded_to_cents(base * rate / 100),
            }
        )
    tax = sum((each["vatAmount"] for each in vats), Decimal(0))
    return {
        "grossTaxExcludedAmount": rounded_to_cents(gross),
        "taxExcludedAmount": net,
        "vats": vats,
        "taxAmount": rounded_to_cents(tax),
        "taxIncludedAmount": rounded_to_cents(net + tax),
    }


def _rate(vat: dict[str, Any] | None) -> Decimal:
    return Decimal(str(vat["rate"])) if vat else Decimal(0)

"""Amounts, as they are on a document: each line rounded, then the sums, then the tax per rate."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_CENT = Decimal("0.01")


def number(value: Any) -> Decimal:
    """The value as Altoviz writes it: ``20`` is ``20.0`` [observed]. Raises ``ValueError``."""
    try:
        exact = Decimal(str(value))
    except ArithmeticError as error:
        raise ValueError(f"{value!r} is no number.") from error
    whole = exact.to_integral_value()
    return whole.quantize(Decimal("0.1")) if exact == whole else exact.normalize()


def money(value: Decimal) -> Decimal:
    return number(value.quantize(_CENT, ROUND_HALF_UP))


def discounted(amount: Decimal, discount: dict[str, Any] | None) -> Decimal:
    """The amount after a discount, in per cent or in money."""
    if not discount:
        return amount
    value = Decimal(str(discount["value"]))
    if discount["type"] == "Fixed":
        return amount - value
    return amount * (100 - value) / 100


def line_amounts(line: dict[str, Any]) -> dict[str, Decimal]:
    """What follows from a line's price, quantity, discount and rate."""
    price, quantity = Decimal(line["taxExcludedPrice"]), Decimal(line["quantity"])
    with_tax = 1 + _rate(line["vat"]) / 100
    amount = money(discounted(price * quantity, line["discount"]))
    margin = amount - Decimal(line["purchasePrice"] or 0) * quantity
    return {
        "taxIncludedPrice": money(price * with_tax),
        "taxExcludedAmount": amount,
        "taxIncludedAmount": money(amount * with_tax),
        "marginAmount": money(margin),
        "marginRate": money(margin / amount * 100) if amount else number(0),
    }


def totals(lines: Sequence[dict[str, Any]], discount: dict[str, Any] | None) -> dict[str, Any]:
    """What follows from a document's lines and its discount."""
    sold = [line for line in lines if line["taxExcludedAmount"] is not None]
    gross = sum((line["taxExcludedAmount"] for line in sold), Decimal(0))
    net = money(discounted(gross, discount))
    share = net / gross if gross else Decimal(1)
    vats = []
    for rate, vat in {_rate(line["vat"]): line["vat"] for line in sold if line["vat"]}.items():
        parts = [line["taxExcludedAmount"] for line in sold if _rate(line["vat"]) == rate]
        base = sum(parts, Decimal(0)) * share
        vats.append(
            {
                "vat": vat,
                "taxExcludedAmount": money(base),
                "vatAmount": money(base * rate / 100),
            }
        )
    tax = sum((each["vatAmount"] for each in vats), Decimal(0))
    return {
        "grossTaxExcludedAmount": money(gross),
        "taxExcludedAmount": net,
        "vats": vats,
        "taxAmount": money(tax),
        "taxIncludedAmount": money(net + tax),
    }


def _rate(vat: dict[str, Any] | None) -> Decimal:
    return Decimal(str(vat["rate"])) if vat else Decimal(0)

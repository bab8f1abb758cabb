"""Model fields for values that Django's own fields would round or normalize."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

from django.core import checks
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Col

from django_altoviz.exact_json import ExactJSONDecoder, ExactJSONEncoder
from django_altoviz.models.mirrors.payloads import DECIMAL_DIGITS, INTEGER_DIGITS, plain

# SQLite computes with binary fractions. Round its results to the digits that these have.
_COMPUTED = Context(prec=15)


class AmountField(models.DecimalField):  # type: ignore[type-arg]
    """An exact decimal number of any scale, never rounded on any database.

    Altoviz does not limit the digits of an amount, and it sends unit prices unrounded. SQLite has
    only binary fractions. There a number is stored as one if that is exact (up to 15 to 17 digits),
    else as text, which is exact too but sorts after all numbers.
    """

    def get_internal_type(self) -> str:
        # Not "DecimalField", for which the backends round to the field's scale.
        return "AmountField"

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        # Skip DecimalField's checks, which require max_digits and decimal_places.
        return super(models.DecimalField, self).check(**kwargs)

    def to_python(self, value: Any) -> Any:
        # For a float 0.1, take the decimal 0.1 and not the nearest binary fraction.
        return super().to_python(repr(value) if isinstance(value, float) else value)

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        if connection.vendor == "sqlite":
            return "blob"  # the only column affinity with which SQLite converts nothing
        if connection.vendor == "mysql":
            return f"numeric({INTEGER_DIGITS + DECIMAL_DIGITS}, {DECIMAL_DIGITS})"
        return "numeric"

    def get_db_prep_value(
        self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False
    ) -> Any:
        if not prepared:
            value = self.get_prep_value(value)
        if not isinstance(value, Decimal) or connection.vendor != "sqlite":
            return value
        binary = float(value)
        return binary if Decimal(repr(binary)) == value else format(value, "f")

    def get_db_prep_save(self, value: Any, connection: BaseDatabaseWrapper) -> Any:
        if hasattr(value, "as_sql"):
            return value
        return self.get_db_prep_value(value, connection)

    def from_db_value(
        self, value: Any, expression: Any, connection: BaseDatabaseWrapper
    ) -> Decimal | None:
        if value is None:
            return None
        if isinstance(value, float):
            stored = isinstance(expression, Col)
            return plain(Decimal(repr(value)) if stored else _COMPUTED.create_decimal(value))
        return plain(Decimal(value))


class IdentifierField(models.CharField):  # type: ignore[type-arg]
    """A case-sensitive text that identifies something.

    The default collations of MySQL and MariaDB ignore case, so this field sets another.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, str | None]:
        parameters: dict[str, Any] = super().db_parameters(connection)
        return parameters | ({"collation": "utf8mb4_bin"} if connection.vendor == "mysql" else {})


class ExactJSONField(models.JSONField):
    """JSON whose numbers are exact: read as ``Decimal`` and stored as they were written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["encoder"] = ExactJSONEncoder
        kwargs["decoder"] = ExactJSONDecoder
        super().__init__(*args, **kwargs)

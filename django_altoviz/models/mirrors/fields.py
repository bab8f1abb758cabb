"""Fields for what Altoviz sends and Django's own would bend."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

from django.core import checks
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Col
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor

from django_altoviz.exact_json import ExactJSONDecoder, ExactJSONEncoder
from django_altoviz.models.mirrors.payloads import DECIMAL_DIGITS, INTEGER_DIGITS, plain

# What SQLite computes with binary fractions is not told to more digits than they have.
_COMPUTED = Context(prec=15)


class AmountField(models.DecimalField):  # type: ignore[type-arg]
    """A decimal number as it was written, of any scale: never rounded, on any database.

    Altoviz puts no bound on the digits of an amount, and unit prices do come unrounded. On SQLite,
    which has binary fractions only, a number is stored as one where that says it exactly (up to 15
    to 17 digits), else as text: exact too, but ordered after all numbers.
    """

    def get_internal_type(self) -> str:
        # Its own name, for at "DecimalField" the backends round to the field's scale.
        return "AmountField"

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        # DecimalField's own checks ask for the bounds that this field does without.
        return super(models.DecimalField, self).check(**kwargs)

    def to_python(self, value: Any) -> Any:
        # What somebody has written as 0.1 is meant, not the binary fraction next to it.
        return super().to_python(repr(value) if isinstance(value, float) else value)

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        if connection.vendor == "sqlite":
            return "blob"  # the one type to which SQLite converts nothing
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
    """A text by which something is known: where the case differs, it is another one.

    MySQL's usual collations take the two for the same.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, str | None]:
        parameters: dict[str, Any] = super().db_parameters(connection)
        return parameters | ({"collation": "utf8mb4_bin"} if connection.vendor == "mysql" else {})


class ExactJSONField(models.JSONField):
    """JSON whose numbers are ``Decimal`` and stay as they were written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["encoder"] = ExactJSONEncoder
        kwargs["decoder"] = ExactJSONDecoder
        super().__init__(*args, **kwargs)


class _NoneUntilMirrored(ForwardManyToOneDescriptor):  # type: ignore[type-arg]
    def get_object(self, instance: models.Model) -> models.Model | None:  # type: ignore[override]
        try:
            return super().get_object(instance)
        except self.field.remote_field.model.DoesNotExist:
            return None


class MirrorKey(models.ForeignKey):  # type: ignore[type-arg]
    """A relation that holds Altoviz's id, whether or not the other side has arrived yet.

    No constraint, for an invoice may come before its customer; until then the relation is ``None``.
    """

    forward_related_accessor_class = _NoneUntilMirrored

    def __init__(self, to: Any, on_delete: Any = models.DO_NOTHING, **kwargs: Any) -> None:
        kwargs.update(to_field="altoviz_id", db_constraint=False, null=True, blank=True)
        super().__init__(to, on_delete, **kwargs)

"""Model fields for values that Django's own fields would round, normalize or fail to serialize."""

from __future__ import annotations

import copy
import json
import operator
import re
from contextlib import suppress
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from django.core import checks
from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.expressions import Col
from django.db.models.fields.json import KeyTransform, KeyTransformFactory
from django.utils.functional import cached_property

from django_altoviz import exact_json
from django_altoviz.exact_json import ExactJSONDecoder, ExactJSONEncoder
from django_altoviz.models.mirrors.payloads import DECIMAL_DIGITS, INTEGER_DIGITS, plain

# What may be assigned to a field, and what is read from it.
SetType = TypeVar("SetType", contravariant=True)
GetType = TypeVar("GetType", covariant=True)

if TYPE_CHECKING:
    from django.db.models import CharField, DateTimeField, DecimalField, JSONField, TextField
else:
    # Django's fields take these types for type checkers only. When the code runs, the types are ignored.
    CharField, DateTimeField, DecimalField, JSONField, TextField = (
        type(name, (getattr(models, name),), {"__class_getitem__": classmethod(lambda cls, _: cls)})
        for name in ("CharField", "DateTimeField", "DecimalField", "JSONField", "TextField")
    )

# SQLite computes with binary fractions. Round its results to the digits that these have.
_COMPUTED = Context(prec=15)


class _AnyDecimalField(type):
    """Make every ``DecimalField`` count as an ``AmountField``.

    Django refuses an expression of mixed types unless its first field is an instance of the others'
    classes, so ``Coalesce(Value(Decimal(0)), "balance")`` would need an ``output_field``.
    """

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, models.DecimalField)


class AmountField(DecimalField[SetType, GetType], metaclass=_AnyDecimalField):
    """An exact decimal number of any scale, never rounded on any database.

    Altoviz does not limit the digits of an amount, and it sends unit prices unrounded. SQLite has
    only binary fractions. There a number is stored as one if that is exact (up to 15 to 17 digits),
    else as text, which is exact too but sorts after all numbers.
    """

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

    @cached_property
    def in_queries(self) -> AmountField[SetType, GetType]:
        """The field as queries know it."""
        field = copy.copy(self)
        field.__class__ = _AmountInQueries
        vars(field)["field"] = self
        return field

    @cached_property
    def cached_col(self) -> Col:
        return Col(self.model._meta.db_table, self, self.in_queries)

    def get_col(self, alias: Any, output_field: Any = None) -> Col:
        if output_field is None or output_field is self:
            output_field = self.in_queries
        if alias == self.model._meta.db_table and output_field is self.in_queries:
            return self.cached_col
        return Col(alias, self, output_field)


class _AmountInQueries(AmountField[SetType, GetType]):
    """The type of a column in a query: for a "DecimalField" SQLite's backend rounds what is read.

    Everybody else, such as serializers, sees the ``AmountField`` itself, a decimal field.
    """

    def get_internal_type(self) -> str:
        return "AmountField"

    def __reduce__(self) -> Any:
        return operator.attrgetter("in_queries"), (vars(self)["field"],)


class ExactText:
    """Mixin for text fields that ``dumpdata`` and ``loaddata`` keep exactly in each format.

    Django's XML drops spaces at the ends, turns "\\r" into "\\n", and refuses control characters. Such
    texts are serialized as a mark and a JSON string.
    """

    def value_to_string(self, obj: models.Model) -> str:
        text: str = self.value_from_object(obj)  # type: ignore[attr-defined]
        is_plain = text == text.strip() and not _UNSAFE_TEXT.search(text)
        return text if is_plain else _TEXT_MARK + json.dumps(text)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith(_TEXT_MARK):
            with suppress(ValueError):  # it is not from a dump, and only begins like that
                return json.loads(value[len(_TEXT_MARK) :])
        return super().to_python(value)  # type: ignore[misc]

    def get_prep_value(self, value: Any) -> Any:
        # Not to_python(), as Django's text fields do: a received text may begin with the mark.
        value = models.Field.get_prep_value(self, value)  # type: ignore[arg-type]
        return value if value is None or isinstance(value, str) else str(value)


_TEXT_MARK = "text as JSON: "
_UNSAFE_TEXT = re.compile(f"^{_TEXT_MARK}|[\0-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")


class ExactTextField(ExactText, TextField[SetType, GetType]):
    """A text of any length."""


class ExactCharField(ExactText, CharField[SetType, GetType]):
    """A text of limited length."""


class IdentifierField(ExactCharField[SetType, GetType]):
    """A case-sensitive text that identifies something.

    The default collations of MySQL and MariaDB ignore case, so this field sets another.
    """

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, str | None]:
        parameters: dict[str, Any] = super().db_parameters(connection)
        return parameters | ({"collation": "utf8mb4_bin"} if connection.vendor == "mysql" else {})


class ExactDateTimeField(DateTimeField[SetType, GetType]):
    """A time that ``dumpdata`` keeps to the microsecond. Django's JSON has only milliseconds."""

    def value_from_object(self, obj: models.Model) -> Any:
        value: Any = super().value_from_object(obj)
        return value if value is None else value.isoformat()

    def value_to_string(self, obj: models.Model) -> str:
        return self.value_from_object(obj) or ""


class ExactJSONField(JSONField[SetType, GetType]):
    """JSON whose numbers are exact: read as ``Decimal`` and stored as they were written."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["encoder"] = ExactJSONEncoder
        kwargs["decoder"] = ExactJSONDecoder
        super().__init__(*args, **kwargs)

    def value_to_string(self, obj: models.Model) -> str:
        # As text: Django's serializers would turn each Decimal into a text.
        return exact_json.dumps(self.value_from_object(obj))

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return exact_json.loads(value)
        except ValueError as error:
            text = self.error_messages["invalid"]
            raise ValidationError(text, code="invalid", params={"value": value}) from error

    # With a placeholder of the field, PostgreSQL gets the rows of a bulk_create one by one. As an array
    # of each column they take longer, because each quotation mark in JSON must be escaped again, and
    # Django 5.2 and 6.0 cut texts to the column's length there. Django 6.1 calls the second method.
    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        return "%s"

    def get_placeholder_sql(self, value: Any, compiler: Any, connection: Any) -> Any:
        return compiler.compile(value) if hasattr(value, "as_sql") else ("%s", [value])

    def get_transform(self, name: str) -> Any:
        transform = super().get_transform(name)
        return _key_transform(name) if isinstance(transform, KeyTransformFactory) else transform

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        if isinstance(expression, ExactKeyTransform) and connection.vendor == "sqlite":
            if isinstance(value, float):
                return Decimal(repr(value))
            if isinstance(value, str) and value.startswith('"'):
                return value[1:]
        return super().from_db_value(value, expression, connection)


class ExactKeyTransform(KeyTransform):
    """A key of an ``ExactJSONField``. On SQLite a selected text begins with a quotation mark.

    SQLite returns the text "true" and the value true alike, and Django takes a text such as "1e5" for
    a number.
    """

    def select_format(self, compiler: Any, sql: str, params: Any) -> Any:
        # In a subquery the value is compared with others.
        if compiler.connection.vendor != "sqlite" or compiler.query.subquery:
            return super().select_format(compiler, sql, params)
        column, own, _keys = self.preprocess_lhs(compiler, compiler.connection)
        path = (*own, params[-1])  # Django's SQL ends with the path
        quoted = f"""CASE JSON_TYPE({column}, %s) WHEN 'text'
            THEN '"' || JSON_EXTRACT({column}, %s) ELSE {sql} END"""
        return quoted, (*path, *path, *params)


def _key_transform(name: str) -> Any:
    return lambda *args, **kwargs: ExactKeyTransform(name, *args, **kwargs)

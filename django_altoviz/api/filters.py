"""Filters of the lists. A parameter that no filter knows is refused, as it would find too much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend, OrderingFilter
from rest_framework.request import Request

from django_altoviz.api.expansion import EXPAND
from django_altoviz.api.following import FLOOR
from django_altoviz.event_types import Entity
from django_altoviz.intake.envelopes import MAX_INTEGER
from django_altoviz.models import Source, Status
from django_altoviz.models.mirrors.payloads import SHORT_TEXT
from django_altoviz.models.mirrors.searching import has_words, words_of

#: Parameters that pagination and rendering read.
_READ_ELSEWHERE = {"cursor", "page_size", "format", EXPAND}


def _text_parameter(**options: Any) -> serializers.CharField:
    return serializers.CharField(required=False, max_length=SHORT_TEXT, **options)


def _id_parameter(**options: Any) -> serializers.IntegerField:
    return serializers.IntegerField(required=False, min_value=0, max_value=MAX_INTEGER, **options)


class _Time(serializers.DateTimeField):
    """A time that every database can compare in every time zone."""

    def to_internal_value(self, value: Any) -> Any:
        with suppress(OverflowError):
            moment = super().to_internal_value(value)
            if 1 < moment.year < 9999:
                return moment
        raise ValidationError("Give a year from 2 to 9998.")


class MirrorFilters(serializers.Serializer[Any]):
    """The parameters of a list of objects. The source of each is a look-up."""

    account = _text_parameter()
    altoviz_id = _id_parameter()
    internal_id = _text_parameter()
    synced_after = _Time(
        required=False,
        source="synced_at__gte",
        help_text="Only what was changed here at that time or later.",
    )


class CustomerFilters(MirrorFilters):
    number = _text_parameter()
    email = _text_parameter()
    type = _text_parameter()
    active = serializers.BooleanField(required=False)


class ContactFilters(MirrorFilters):
    email = _text_parameter()


class ProductFilters(MirrorFilters):
    number = _text_parameter()
    type = _text_parameter()
    active = serializers.BooleanField(required=False)


class DocumentFilters(MirrorFilters):
    number = _text_parameter()
    customer = _text_parameter(source="customer_id", help_text="The key of a customer.")
    date_from = serializers.DateField(required=False, source="date__gte")
    date_to = serializers.DateField(required=False, source="date__lte")


class AccountingDocumentFilters(DocumentFilters):
    is_draft = serializers.BooleanField(required=False)
    is_paid = serializers.BooleanField(required=False)
    is_cancelled = serializers.BooleanField(required=False)


class InvoiceFilters(AccountingDocumentFilters):
    cancellation_credit = _text_parameter(
        source="cancellation_credit_id", help_text="The key of a credit."
    )


class CreditFilters(AccountingDocumentFilters):
    cancelled_invoice = _text_parameter(
        source="cancelled_invoice_id", help_text="The key of an invoice."
    )


class QuoteFilters(DocumentFilters):
    status = _text_parameter()


class EventFilters(serializers.Serializer[Any]):
    """The parameters of the list of events."""

    after = _id_parameter(source="pk__gt", help_text="Only events with a greater number.")
    account = _text_parameter()
    type = _text_parameter()
    entity = serializers.ChoiceField(required=False, choices=Entity.choices)
    object_id = _id_parameter()
    status = serializers.ChoiceField(required=False, choices=Status.choices)
    source = serializers.ChoiceField(  # type: ignore[assignment]
        required=False, choices=Source.choices
    )
    received_from = _Time(required=False, source="received_at__gte")
    received_to = _Time(required=False, source="received_at__lte")
    floor = _id_parameter()


class SyncFilters(serializers.Serializer[Any]):
    """The parameters of the list of syncs."""

    account = _text_parameter()
    entity = serializers.ChoiceField(required=False, choices=Entity.choices)


class ParameterFilter(BaseFilterBackend):
    """Filter by the parameters that the view's ``filter_class`` declares."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        # As a plain dictionary. In a form, a missing boolean would be False.
        given = request.query_params.dict()
        parameters = view.filter_class(data=given)
        _refuse_unknown(given, {*parameters.fields}, view)
        _refuse_empty(given, parameters.fields)
        parameters.is_valid(raise_exception=True)
        view.parameters = parameters.validated_data
        lookups = {name: value for name, value in view.parameters.items() if name != FLOOR}
        return queryset.filter(**lookups)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            _parameter(name, _schema_of(field), str(field.help_text or ""))
            for name, field in view.filter_class().fields.items()
            if name != FLOOR
        ]


def _refuse_unknown(given: Iterable[str], known: set[str], view: Any) -> None:
    """Refuse a parameter that nothing reads, unless a filter of the project may read it."""
    ours = {ParameterFilter, WordSearch, ColumnOrdering}
    if not {*view.filter_backends} <= ours:
        return
    known = known | _READ_ELSEWHERE | {ColumnOrdering.ordering_param} | view.more_parameters
    if unknown := sorted({*given} - known):
        text = f"Unknown parameter. Known: {', '.join(sorted(known - {FLOOR}))}."
        raise ValidationError({name: [text] for name in unknown})


def _refuse_empty(given: Mapping[str, str], filters: Iterable[str]) -> None:
    """Refuse a filter without a value. A client with an empty variable would get the rows of everybody."""
    if empty := [name for name in filters if given.get(name) == ""]:
        raise ValidationError({name: ["Give a value, or leave it out."] for name in empty})


class WordSearch(BaseFilterBackend):
    """Find the rows that have all words, whatever their case and accents, as the admin does."""

    parameter = "search"

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        term = request.query_params.get(self.parameter, "").replace("\0", "")
        if self.parameter not in view.more_parameters:
            return queryset
        return queryset.filter(has_words(words_of(term)))

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        if self.parameter not in view.more_parameters:
            return []
        text = "Words that must all be in the number, the name, and so on."
        return [_parameter(self.parameter, {"type": "string"}, text)]


class ColumnOrdering(OrderingFilter):
    """Order by a column without empty values: pages by cursor would leave empty values out."""

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> Any:
        asked = request.query_params.get(self.ordering_param)
        if asked and asked.removeprefix("-") not in view.ordering_fields:
            known = ", ".join(view.ordering_fields)
            raise ValidationError({self.ordering_param: [f"Unknown column. Known: {known}."]})
        first = asked or view.ordering[0]
        if first.removeprefix("-") == "id":
            return (first,)
        # Rows with an equal value need an order, too, or a page repeats what another one had.
        return (first, "-pk" if first.startswith("-") else "pk")

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = [f"{sign}{name}" for name in view.ordering_fields for sign in ("", "-")]
        text = "The column to order by, with a minus for the descending order."
        return [_parameter(self.ordering_param, {"type": "string", "enum": names}, text)]


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


def _schema_of(field: serializers.Field[Any, Any, Any, Any]) -> dict[str, Any]:
    if isinstance(field, serializers.ChoiceField):
        return {"type": "string", "enum": [*field.choices]}
    if isinstance(field, serializers.IntegerField):
        return {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER}
    if isinstance(field, serializers.BooleanField):
        return {"type": "boolean"}
    if isinstance(field, serializers.DateTimeField):
        return {"type": "string", "format": "date-time"}
    if isinstance(field, serializers.DateField):
        return {"type": "string", "format": "date"}
    return {"type": "string", "maxLength": SHORT_TEXT}

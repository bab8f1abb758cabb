"""Serializer fields, which Django REST framework's ``ModelSerializer`` takes for our model fields."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from django_altoviz.models.mirrors.fields import AmountField


class AmountSerializerField(serializers.DecimalField):
    """An exact decimal number of any scale, neither rounded nor padded with zeros.

    As with any decimal field, ``COERCE_DECIMAL_TO_STRING`` says if it is shown as a text.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": None, "decimal_places": None} | options)

    def to_representation(self, value: Any) -> Any:
        shown: Decimal | str = super().to_representation(value)
        return format(Decimal(shown), "f") if isinstance(shown, str) else shown


def register_serializer_fields() -> None:
    """Make each ``ModelSerializer`` use these fields. No other model field is concerned."""
    serializers.ModelSerializer.serializer_field_mapping[AmountField] = AmountSerializerField

"""JSON in which the numbers of an object have the digits that Altoviz wrote."""

from __future__ import annotations

from rest_framework.renderers import JSONRenderer
from rest_framework.utils import encoders

from django_altoviz.exact_json import ExactJSONEncoder


class _Encoder(ExactJSONEncoder, encoders.JSONEncoder):
    """Write a ``Decimal`` as a number, and all else as Django REST framework does."""


class ExactJSONRenderer(JSONRenderer):
    encoder_class = _Encoder

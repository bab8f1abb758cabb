"""JSON in which the numbers of an object have the digits that Altoviz wrote, and OpenMetrics."""

from __future__ import annotations

from typing import Any

from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.utils import encoders

from django_altoviz.exact_json import ExactJSONEncoder


class _Encoder(ExactJSONEncoder, encoders.JSONEncoder):
    """Write a ``Decimal`` as a number, and all else as Django REST framework does."""


class OpenMetricsRenderer(BaseRenderer):
    """The text of ``overview.metrics``, or that of a refusal."""

    media_type, format = "application/openmetrics-text", "openmetrics"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> str:
        return data if isinstance(data, str) else f"# {data}\n"


class ExactJSONRenderer(JSONRenderer):
    encoder_class = _Encoder

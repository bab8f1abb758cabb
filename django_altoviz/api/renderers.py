"""JSON in which the numbers of an object have the digits that Altoviz wrote, and OpenMetrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.utils import encoders

from django_altoviz.exact_json import ExactJSONEncoder
from django_altoviz.masking import SecretMask


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
    """JSON without our secrets, which Altoviz or a sender may have put into any text."""

    encoder_class = _Encoder

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        rendered: bytes = super().render(data, accepted_media_type, renderer_context)
        mask, text = SecretMask(), rendered.decode()
        if mask(text) == text:
            return rendered
        hidden: bytes = super().render(_masked(data, mask), accepted_media_type, renderer_context)
        return hidden


def _masked(value: Any, mask: SecretMask) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {_masked(key, mask): _masked(item, mask) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(item, mask) for item in value]
    return value

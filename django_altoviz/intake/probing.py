"""The probe: a signed delivery of this process to its own webhook, which is neither stored nor counted.

It is known by an object in the request's environment. A request from outside has only texts there.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

_PROBE_KEY = "django_altoviz.probe"
_PROBE = object()


def probe_environment() -> dict[str, Any]:
    """Return what makes a request of the test client a probe."""
    return {_PROBE_KEY: _PROBE}


def is_probe(request: HttpRequest) -> bool:
    return request.META.get(_PROBE_KEY) is _PROBE

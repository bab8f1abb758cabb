"""Bare Django views: the minimal cost of each step, without any further guarantee."""

from __future__ import annotations

import hmac
import json
from typing import Any

from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from benchmarks.sites import secrets
from benchmarks.sites.floors.models import Customer, Event

_COLUMNS = ["number", "name", "email", "city", "active", "data"]


def _is_authentic(request: HttpRequest) -> bool:
    signature = hmac.digest(secrets.ALTOVIZ.encode(), request.body, "sha256").hex()
    return hmac.compare_digest(signature, request.headers.get("X-Signature", ""))


@csrf_exempt
@require_POST
def check(request: HttpRequest) -> JsonResponse:
    if not _is_authentic(request):
        return JsonResponse({}, status=401)
    return JsonResponse({"status": "seen"})


@csrf_exempt
@require_POST
def insert(request: HttpRequest) -> JsonResponse:
    if not _is_authentic(request):
        return JsonResponse({}, status=401)
    event = _store(request.body)
    return JsonResponse({"status": "stored", "id": event["id"]})


@csrf_exempt
@require_POST
def upsert(request: HttpRequest) -> JsonResponse:
    if not _is_authentic(request):
        return JsonResponse({}, status=401)
    with transaction.atomic():
        event = _store(request.body)
        _upsert_customer(event["data"])
    return JsonResponse({"status": "stored", "id": event["id"]})


def _store(body: bytes) -> dict[str, Any]:
    text = body.decode()
    event: dict[str, Any] = json.loads(text)
    Event.objects.create(event_id=event["id"], body=text)
    return event


def _upsert_customer(data: dict[str, Any]) -> None:
    row = Customer(
        altoviz_id=data["id"],
        number=data["number"],
        name=data["name"],
        email=data["email"],
        city=data["billingAddress"]["city"],
        active=data["active"],
        data=data,
    )
    Customer.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["altoviz_id"], update_fields=_COLUMNS
    )

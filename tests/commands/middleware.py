"""Middleware that answers a delivery before the webhook does, or spoils it."""

from __future__ import annotations

import io

from django.contrib.auth.models import Group
from django.http import HttpResponseForbidden, JsonResponse


def failing(get_response):
    return lambda request: 1 / 0


def refusing(get_response):
    return lambda request: HttpResponseForbidden()


def listing(get_response):
    return lambda request: JsonResponse([], safe=False)


def writing(get_response):
    def write(request):
        Group.objects.create(name="a trace")
        return get_response(request)

    return write


def consuming(get_response):
    def consume(request):
        request.read()
        return get_response(request)

    return consume


def altering(get_response):
    def alter(request):
        body = request.body.replace(b'": ', b'":')
        request._body = body
        request._stream = io.BytesIO(body)
        return get_response(request)

    return alter

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html


@login_not_required
def home(request: HttpRequest) -> HttpResponse:
    page = (
        "<!doctype html><html lang=en><title>Shop</title>"
        "<h1>A shop that keeps in step with Altoviz</h1>"
        '<p>Events, the mirror and the shop’s own data are in the <a href="{}">admin</a>.'
        "<p>Altoviz posts its events to <code>{}</code>."
    )
    webhook = request.build_absolute_uri(reverse("altoviz:webhook"))
    return HttpResponse(format_html(page, reverse("admin:index"), webhook))

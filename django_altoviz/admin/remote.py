"""Buttons on an object's page that ask Altoviz: read the object again, download its PDF."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.http import content_disposition_header
from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _

from django_altoviz.admin.actions import CONFIRMED
from django_altoviz.admin.base import ReadOnlyAdmin, redirect_within
from django_altoviz.admin.operations import failure_text
from django_altoviz.client.downloads import Download
from django_altoviz.conf import get_account
from django_altoviz.exceptions import APIFailure, NoSuchRoute, NotFound, UnknownAccount
from django_altoviz.models import Document, Mirror
from django_altoviz.processing.refetching import impatient_client
from django_altoviz.sync import Reread, reread
from django_altoviz.transactions import own_transactions

_REFETCH_PAGE = "admin/django_altoviz/refetch_confirmation.html"
_NO_ANSWER = (APIFailure, ImproperlyConfigured, UnknownAccount)


class RemoteAdmin(ReadOnlyAdmin):
    """Base of the pages of objects that can be read again at Altoviz."""

    def has_refetch_permission(self, request: HttpRequest) -> bool:
        return self._has_permission(request, "refetch")

    def has_download_permission(self, request: HttpRequest) -> bool:
        return issubclass(self.model, Document) and self._has_permission(request, "download")

    def _has_permission(self, request: HttpRequest, name: str) -> bool:
        opts = self.opts
        may_do = request.user.has_perm(f"{opts.app_label}.{name}_{opts.model_name}")
        return may_do and self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("<path:object_id>/refetch/", wrap(self.refetch_view), name=f"{name}_refetch"),
            path("<path:object_id>/pdf/", wrap(self.pdf_view), name=f"{name}_pdf"),
            *super().get_urls(),
        ]

    def remote_buttons(self, request: HttpRequest, row: Mirror) -> dict[str, bool]:
        """Return the buttons for the template: what the reader may do, and Altoviz can answer."""
        may_refetch = self.has_refetch_permission(request)
        may_download = self.has_download_permission(request) and row.deleted_at is None
        has_key = (may_refetch or may_download) and _has_key(row.account)
        return {"can_refetch": may_refetch and has_key, "can_download": may_download and has_key}

    # The event of a difference is processed in transactions of its own.
    @own_transactions
    def refetch_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Read the object again, after a confirmation."""
        if not self.has_refetch_permission(request):
            raise PermissionDenied
        row = self._asked_for(request, object_id)
        if request.method != "POST":  # a reload after a login, for example
            return self._back_to(row)
        if CONFIRMED not in request.POST:
            context: dict[str, Any] = {
                **self.admin_site.each_context(request),
                "title": _("Read again from Altoviz"),
                "opts": self.opts,
                "media": self.media,
                "original": row,
                "fields": [(CONFIRMED, "yes")],
            }
            request.current_app = self.admin_site.name
            return TemplateResponse(request, _REFETCH_PAGE, context)
        try:
            result = reread(row)
        except _NO_ANSWER as error:
            self._say_no_answer(request, row, error)
        else:
            # By the key: an erasure does not find the name in Django's log.
            text = f"Read again from Altoviz: {result.value}"
            self.note(request, text, object_id=str(row.pk), object_repr=row.key)
            level, text = _message_about(result)
            self.message_user(request, text, level)
        return self._back_to(row)

    def pdf_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Stream the PDF of a document from Altoviz."""
        if request.method != "GET" or not self.has_download_permission(request):
            raise PermissionDenied
        row = self._asked_for(request, object_id)
        try:
            pdf = _PDF(row)
        except NotFound as error:
            if isinstance(error, NoSuchRoute):
                self._say_no_answer(request, row, error)
            else:
                text = _("Altoviz has no PDF of this document, or does not know it any more.")
                self.message_user(request, text, messages.ERROR)
            return self._back_to(row)
        except _NO_ANSWER as error:
            self._say_no_answer(request, row, error)
            return self._back_to(row)
        response = StreamingHttpResponse(pdf, content_type="application/pdf")
        name = pdf.filename or get_valid_filename(f"{self.opts.model_name}-{row.altoviz_id}")
        # Whatever Altoviz calls it: some names would be run by a double click.
        name = name if name.lower().endswith(".pdf") else f"{name}.pdf"
        response["Content-Disposition"] = content_disposition_header(True, name)
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "private, no-store"
        return response

    def _asked_for(self, request: HttpRequest, object_id: str) -> Any:
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        return row

    def _back_to(self, row: Mirror) -> HttpResponse:
        return redirect_within(self, "change", row.pk)

    def _say_no_answer(self, request: HttpRequest, row: Mirror, error: Exception) -> None:
        error_text = self.bound_to(request).renderer.cell(failure_text(error, row.account))
        text = _("Altoviz could not be asked: %(error)s") % {"error": error_text}
        self.message_user(request, text, messages.ERROR)


class _PDF:
    """A PDF that is read from Altoviz while it is sent on. Its beginning is read at once.

    Raises:
        APIFailure: Altoviz did not answer, or not with a PDF.
        UnknownAccount: ``ALTOVIZ`` has no such account.
        ImproperlyConfigured: the account has no ``API_KEY``.
    """

    def __init__(self, row: Mirror) -> None:
        with ExitStack() as stack:
            client = stack.enter_context(impatient_client(row.account))
            resource: Any = client.resource(row.entity())
            download: Download = stack.enter_context(resource.download(row.altoviz_id))
            self.filename = download.filename
            self._chunks = iter(download)
            self._first = next(self._chunks)
            #: Django calls it after the response.
            self.close = stack.pop_all().close

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        yield from self._chunks


def _has_key(account: str) -> bool:
    try:
        return bool(get_account(account).api_key)
    except UnknownAccount:
        return False


def _message_about(result: Reread) -> tuple[int, str]:
    return {
        Reread.CHANGED: (
            messages.SUCCESS,
            _("The object was read again, and this page shows what has changed."),
        ),
        Reread.UNCHANGED: (
            messages.SUCCESS,
            _("The object was read again: nothing has changed at Altoviz."),
        ),
        Reread.FAILED: (
            messages.ERROR,
            _("The object was read again, but it could not be taken over."),
        ),
        Reread.GONE: (
            messages.WARNING,
            _(
                "Altoviz does not know this object, or not any more. Nothing was changed here: a "
                "sync makes sure, and then marks it as deleted."
            ),
        ),
        Reread.OVERTAKEN: (
            messages.WARNING,
            _("Events of this object keep coming in, so it was not read again. Try again later."),
        ),
    }[result]

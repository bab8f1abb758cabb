"""The views of the REST API: read-only lists and objects, and the actions on events."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Prefetch, QuerySet
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from rest_framework import generics, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from django_altoviz import rejections
from django_altoviz.api import filters, serializers
from django_altoviz.api.expansion import DELETED, expandable_of, expansions_in, is_asked_for_deleted
from django_altoviz.api.pagination import EventPagination, StablePagination
from django_altoviz.api.permissions import (
    ViewAllOfOverview,
    ViewPermission,
    may_view,
    shown_to,
)
from django_altoviz.api.renderers import ExactJSONRenderer, OpenMetricsRenderer
from django_altoviz.api.schema import DescribedSchema
from django_altoviz.conf import used_account_names
from django_altoviz.dispatchers.syncs import start_sync
from django_altoviz.exceptions import APIFailure, QueueDown, SyncTakenOver, UnknownAccount
from django_altoviz.models import (
    Contact,
    Credit,
    Customer,
    Invoice,
    Overview,
    Product,
    Quote,
    SyncRun,
    WebhookEvent,
)
from django_altoviz.overview import overview_of
from django_altoviz.overview.activity import kept_for_a_minute, monthly_amounts
from django_altoviz.overview.metrics import CONTENT_TYPE, open_metrics
from django_altoviz.overview.remote import stored_answers
from django_altoviz.processing import process_again
from django_altoviz.transactions import own_transactions

_QUEUE_DOWN = "The queue did not take the sync. Nothing was started."
_defaults: Any = api_settings
_RENDERERS = [each for each in _defaults.DEFAULT_RENDERER_CLASSES if each is not JSONRenderer]
_FILTERS = [filters.ParameterFilter, filters.WordSearch, filters.ColumnOrdering]


# Each answer has an ETag, and is 304 without a body for those who have it already.
@method_decorator(conditional_page, name="dispatch")
class ReadOnlyViewSet(viewsets.ReadOnlyModelViewSet[Any]):
    """The base: the project's authentication, the permissions to view, filters and pages."""

    permission_classes = [ViewPermission]
    pagination_class = StablePagination
    renderer_classes = [ExactJSONRenderer, *_RENDERERS]
    filter_backends = [*_FILTERS, *_defaults.DEFAULT_FILTER_BACKENDS]
    schema = DescribedSchema()
    #: What the lists read besides their filters.
    more_parameters: frozenset[str] = frozenset()
    expansions: frozenset[str] = frozenset()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.expansions = expansions_in(request, expandable_of(self))


class MirrorViewSet(ReadOnlyViewSet):
    """The base of the objects of Altoviz. They are found by their key, ``account:id``."""

    lookup_field = "key"
    lookup_value_regex = r"[^/\x00]+"
    more_parameters = frozenset({filters.WordSearch.parameter, DELETED})
    ordering_fields = ["altoviz_id", "synced_at"]
    ordering = ["-altoviz_id"]

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if not is_asked_for_deleted(self.request):
            rows = rows.filter(deleted_at=None)
        return self._as_shown(rows, "fingerprint", "search_text")

    def _as_shown(self, rows: QuerySet[Any], *hidden: str) -> QuerySet[Any]:
        """Return the rows without the columns that are not shown: some are large."""
        return rows.defer(*hidden, *({"data"} - self.expansions))


class CustomerViewSet(MirrorViewSet):
    queryset = Customer.with_deleted.all()
    serializer_class = serializers.CustomerSerializer
    filter_class = filters.CustomerFilters


class ContactViewSet(MirrorViewSet):
    queryset = Contact.with_deleted.all()
    serializer_class = serializers.ContactSerializer
    filter_class = filters.ContactFilters


class ProductViewSet(MirrorViewSet):
    queryset = Product.with_deleted.all()
    serializer_class = serializers.ProductSerializer
    filter_class = filters.ProductFilters


class DocumentViewSet(MirrorViewSet):
    """The base of documents, with their customer and their lines if asked for."""

    def get_queryset(self) -> QuerySet[Any]:
        rows = super().get_queryset()
        if "customer" in self.expansions:
            if not may_view(self.request.user, Customer):
                raise PermissionDenied("You may not view customers.")
            customers = self._as_shown(Customer.with_deleted.all(), "fingerprint", "search_text")
            rows = rows.prefetch_related(Prefetch("customer", customers))
        if "lines" in self.expansions:
            lines = self._as_shown(rows.model.lines.rel.related_model.objects.all())
            rows = rows.prefetch_related(Prefetch("lines", lines))
        return rows


class InvoiceViewSet(DocumentViewSet):
    queryset = Invoice.with_deleted.all()
    serializer_class = serializers.InvoiceSerializer
    filter_class = filters.InvoiceFilters


class QuoteViewSet(DocumentViewSet):
    queryset = Quote.with_deleted.all()
    serializer_class = serializers.QuoteSerializer
    filter_class = filters.QuoteFilters


class CreditViewSet(DocumentViewSet):
    queryset = Credit.with_deleted.all()
    serializer_class = serializers.CreditSerializer
    filter_class = filters.CreditFilters


# With ATOMIC_REQUESTS, other workers would not see a claim made here until the request ends.
@method_decorator(own_transactions, name="dispatch")
class EventViewSet(ReadOnlyViewSet):
    """The events in the order in which they came in, and the way to process one again."""

    queryset = WebhookEvent.objects.all()
    serializer_class = serializers.EventSerializer
    filter_class = filters.EventFilters
    pagination_class = EventPagination
    lookup_value_regex = "[0-9]{1,18}"
    ordering_fields = ["id"]
    ordering = ["id"]

    def get_queryset(self) -> QuerySet[Any]:
        content = ("body", "changes", "error", "history")
        events = super().get_queryset().defer("arrival")
        return events if "content" in self.expansions else events.defer(*content)

    @action(detail=True, methods=["post"], serializer_class=serializers.ReplaySerializer)
    def process(self, request: Request, pk: str | None = None) -> Response:
        """Process the event again, whatever became of it."""
        event = self.get_object()
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        from_scratch = asked.validated_data["from_scratch"]
        name = "replay" if from_scratch else "process"
        if not request.user.has_perm(f"django_altoviz.{name}_webhookevent"):
            raise PermissionDenied
        outcome = process_again(event, from_scratch=from_scratch)
        return Response(
            {"outcome": outcome, "description": str(outcome.label), "from_scratch": from_scratch},
            status=status.HTTP_409_CONFLICT if outcome.is_refusal else status.HTTP_200_OK,
        )


# Each batch of a sync is a transaction of its own.
@method_decorator(own_transactions, name="dispatch")
class SyncViewSet(ReadOnlyViewSet):
    """The syncs, the latest first, and the way to start one."""

    queryset = SyncRun.objects.all()
    serializer_class = serializers.SyncSerializer
    filter_class = filters.SyncFilters
    lookup_value_regex = "[0-9]{1,18}"
    ordering_fields = ["id"]
    ordering = ["-id"]

    def get_serializer_class(self) -> Any:
        if self.action == "create":
            return serializers.SyncStartSerializer
        return super().get_serializer_class()

    def create(self, request: Request) -> Response:
        """Start a sync: in the workers if there is a queue, and otherwise in the request."""
        if not request.user.has_perm("django_altoviz.start_sync"):
            raise PermissionDenied
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        account = asked.validated_data["account"]
        try:
            started = start_sync(account)
        except SyncTakenOver as error:
            return _refused(status.HTTP_409_CONFLICT, str(error))
        except QueueDown:
            return _refused(status.HTTP_503_SERVICE_UNAVAILABLE, _QUEUE_DOWN)
        except (APIFailure, ImproperlyConfigured, UnknownAccount) as error:
            return _refused(status.HTTP_503_SERVICE_UNAVAILABLE, str(error))
        if started is None:
            return _refused(status.HTTP_409_CONFLICT, "A sync is running already.")
        if started.is_queued:
            return Response({"account": account, "outcome": "queued"}, status.HTTP_202_ACCEPTED)
        return Response({"account": account, "outcome": "unfinished" if started.left else "done"})


def _refused(code: int, detail: str) -> Response:
    return Response({"detail": detail}, code)


class MetricsView(APIView):
    """The state of all accounts for Prometheus, without Altoviz's answers and without amounts."""

    permission_classes = [ViewPermission, ViewAllOfOverview]
    renderer_classes = [OpenMetricsRenderer]
    queryset = Overview.objects.none()  # of which the permission is asked for
    schema = None

    def get(self, request: Request) -> Response:
        found = overview_of(used_account_names(), rejections.recent(), {}, {})
        return Response(open_metrics(found), content_type=CONTENT_TYPE)


class StatusView(generics.GenericAPIView[Any]):
    """The state of all accounts: what ``altoviz_status`` shows, without asking Altoviz."""

    permission_classes = [ViewPermission]
    renderer_classes = ReadOnlyViewSet.renderer_classes
    serializer_class = serializers.StatusSerializer
    queryset = Overview.objects.none()
    filter_backends = ()
    pagination_class = None
    schema = DescribedSchema()

    def get(self, request: Request) -> Response:
        accounts = used_account_names()
        amounts = (
            kept_for_a_minute("amounts", monthly_amounts) if may_view(request.user, Invoice) else {}
        )
        found = overview_of(accounts, rejections.recent(), stored_answers(accounts), amounts)
        return Response({"accounts": [shown_to(request.user, each.as_json()) for each in found]})

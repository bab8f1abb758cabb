"""The representation of mirrors, events and syncs. Amounts are texts, so no digit is lost on the way."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from django_altoviz.api.expansion import expansions_of
from django_altoviz.api.permissions import may_see_content
from django_altoviz.api.serializer_fields import AmountSerializerField
from django_altoviz.conf import DEFAULT_ACCOUNT, account_names
from django_altoviz.models import (
    Contact,
    Credit,
    CreditLine,
    Customer,
    Invoice,
    InvoiceLine,
    Product,
    Quote,
    QuoteLine,
    SyncRun,
    WebhookEvent,
)
from django_altoviz.models.mirrors.fields import AmountField
from django_altoviz.models.mirrors.relations import key_of
from django_altoviz.models.sync_runs import SyncState
from django_altoviz.overview import AccountOverview
from django_altoviz.processing import Replay

_HIDDEN = {"id", "data", "fingerprint", "search_text"}


def _shown_columns(model: Any, *hidden: str) -> list[str]:
    """Return the names of the model's own columns, without relations."""
    return [
        field.name
        for field in model._meta.concrete_fields
        if not field.is_relation and field.name not in {*_HIDDEN, *hidden}
    ]


class ReadOnlySerializer(serializers.ModelSerializer):  # type: ignore[type-arg]
    """A serializer whose ``expandable`` fields are shown only to requests that ask for them."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        AmountField: AmountSerializerField,
    }
    #: The names of such fields.
    expandable: frozenset[str] = frozenset()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        view = self.context.get("view")
        if getattr(view, "swagger_fake_view", False):  # the description of the API has all of them
            return fields
        shown = expansions_of(self.context)
        return {
            name: field
            for name, field in fields.items()
            if name not in self.expandable or name in shown
        }

    def build_standard_field(
        self, field_name: str, model_field: Any
    ) -> tuple[type[serializers.Field[Any, Any, Any, Any]], dict[str, Any]]:
        if isinstance(model_field, AmountField):
            # Whatever COERCE_DECIMAL_TO_STRING says: JavaScript reads numbers in binary.
            return AmountSerializerField, {
                "coerce_to_string": True,
                "read_only": True,
                "allow_null": model_field.null,
                "help_text": model_field.help_text,
            }
        if model_field.choices:  # a later version may have stored another value
            return serializers.CharField, {"read_only": True, "help_text": model_field.help_text}
        return super().build_standard_field(field_name, model_field)


class LineSerializer(ReadOnlySerializer):
    data = serializers.JSONField(required=False)  # type: ignore[assignment]
    product = serializers.CharField(
        source="product_id", read_only=True, allow_null=True, help_text="The key of the product."
    )
    expandable = frozenset({"data"})


class InvoiceLineSerializer(LineSerializer):
    class Meta:
        model = InvoiceLine
        fields = [*_shown_columns(InvoiceLine), "product", "data"]
        read_only_fields = _shown_columns(InvoiceLine)


class QuoteLineSerializer(LineSerializer):
    class Meta:
        model = QuoteLine
        fields = [*_shown_columns(QuoteLine), "product", "data"]
        read_only_fields = _shown_columns(QuoteLine)


class CreditLineSerializer(LineSerializer):
    class Meta:
        model = CreditLine
        fields = [*_shown_columns(CreditLine), "product", "data"]
        read_only_fields = _shown_columns(CreditLine)


class MirrorSerializer(ReadOnlySerializer):
    data = serializers.JSONField(  # type: ignore[assignment]
        required=False, help_text="The whole object as Altoviz sent it. With ?expand=data."
    )
    expandable = frozenset({"data"})


class CustomerSerializer(MirrorSerializer):
    class Meta:
        model = Customer
        fields = [*_shown_columns(Customer), "data"]
        read_only_fields = _shown_columns(Customer)


class ContactSerializer(MirrorSerializer):
    class Meta:
        model = Contact
        fields = [*_shown_columns(Contact), "data"]
        read_only_fields = _shown_columns(Contact)


class ProductSerializer(MirrorSerializer):
    class Meta:
        model = Product
        fields = [*_shown_columns(Product), "data"]
        read_only_fields = _shown_columns(Product)


class DocumentSerializer(MirrorSerializer):
    customer_key = serializers.CharField(
        source="customer_id",
        read_only=True,
        allow_null=True,
        help_text="The key of the customer, who may not be mirrored yet.",
    )
    customer = CustomerSerializer(
        required=False, allow_null=True, help_text="With ?expand=customer."
    )
    expandable = frozenset({"data", "customer", "lines"})


class InvoiceSerializer(DocumentSerializer):
    cancellation_credit_key = serializers.CharField(
        source="cancellation_credit_id",
        read_only=True,
        allow_null=True,
        help_text="The key of the credit, which may not be mirrored yet.",
    )
    lines = InvoiceLineSerializer(many=True, required=False, help_text="With ?expand=lines.")

    class Meta:
        model = Invoice
        fields = [
            *_shown_columns(Invoice),
            *("cancellation_credit_key", "customer_key", "customer", "lines", "data"),
        ]
        read_only_fields = _shown_columns(Invoice)


class QuoteSerializer(DocumentSerializer):
    lines = QuoteLineSerializer(many=True, required=False, help_text="With ?expand=lines.")

    class Meta:
        model = Quote
        fields = [*_shown_columns(Quote), "customer_key", "customer", "lines", "data"]
        read_only_fields = _shown_columns(Quote)


class CreditSerializer(DocumentSerializer):
    cancelled_invoice_key = serializers.CharField(
        source="cancelled_invoice_id",
        read_only=True,
        allow_null=True,
        help_text="The key of the invoice, which may not be mirrored yet.",
    )
    lines = CreditLineSerializer(many=True, required=False, help_text="With ?expand=lines.")

    class Meta:
        model = Credit
        fields = [
            *_shown_columns(Credit),
            *("cancelled_invoice_key", "customer_key", "customer", "lines", "data"),
        ]
        read_only_fields = _shown_columns(Credit)


class EventContentSerializer(serializers.Serializer[WebhookEvent]):
    """The words of an event, and those about it."""

    body = serializers.CharField(read_only=True)
    changes = serializers.JSONField(read_only=True)
    error = serializers.CharField(read_only=True)
    history = serializers.JSONField(read_only=True)

    def to_representation(self, instance: WebhookEvent) -> Any:
        is_shown = may_see_content(self.context["request"], instance)
        return super().to_representation(instance) if is_shown else None


class EventSerializer(ReadOnlySerializer):
    id = serializers.IntegerField(read_only=True, help_text="The number of the event.")
    object_key = serializers.SerializerMethodField(
        allow_null=True, help_text="The key of the object that the event is about."
    )
    business_signals = serializers.SerializerMethodField(
        allow_null=True, help_text="null for those who may not view the event's object."
    )
    content = EventContentSerializer(
        source="*",
        required=False,
        allow_null=True,
        help_text="With ?expand=content. null for those who may not view the event's object.",
    )
    expandable = frozenset({"content"})

    class Meta:
        model = WebhookEvent
        fields = [
            *("id", "event_id", "account", "type", "entity", "object_id", "object_key", "source"),
            *("status", "cause", "received_at", "last_received_at", "deliveries", "attempts"),
            *("failures", "next_attempt_at", "mirrored_at", "settled_at", "business_signals"),
            *("conflicts_with", "content"),
        ]
        read_only_fields = fields

    def get_business_signals(self, event: WebhookEvent) -> list[str] | None:
        may_see = may_see_content(self.context["request"], event)
        return event.business_signals if may_see else None

    def get_object_key(self, event: WebhookEvent) -> str | None:
        return key_of(event.account, event.object_id) if event.entity else None


class SyncSerializer(ReadOnlySerializer):
    id = serializers.IntegerField(read_only=True)
    state = serializers.ChoiceField(choices=SyncState.choices, read_only=True)

    class Meta:
        model = SyncRun
        fields = [
            *("id", "account", "entity", "state", "started_at", "active_at", "finished_at"),
            *("seen", "new", "changed", "deleted", "unchanged", "failed", "error"),
        ]
        read_only_fields = fields


class SyncStartSerializer(serializers.Serializer[SyncRun]):
    """The account to sync, and what became of it."""

    account = serializers.CharField(default=DEFAULT_ACCOUNT, max_length=64)
    outcome = serializers.ChoiceField(
        choices=["queued", "done", "unfinished"],
        read_only=True,
        help_text="An unfinished sync goes on with the next request, or with altoviz_sync.",
    )

    def validate_account(self, name: str) -> str:
        if name not in account_names():
            raise serializers.ValidationError(f"Unknown. Known: {', '.join(account_names())}.")
        return name


class StatusSerializer(serializers.Serializer[AccountOverview]):
    """The state of the accounts, as ``altoviz_status --format json`` gives it."""

    accounts = serializers.ListField(child=serializers.DictField(), read_only=True)


class ReplaySerializer(serializers.Serializer[WebhookEvent]):
    """A request to process an event again, and the outcome."""

    from_scratch = serializers.BooleanField(
        default=False, help_text="Also call the receivers that have handled the event."
    )
    outcome = serializers.ChoiceField(choices=Replay.choices, read_only=True)
    description = serializers.CharField(read_only=True)

"""What all mirrors have in common."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_altoviz.event_types import Entity
from django_altoviz.models.mirrors.fields import ExactJSONField, IdentifierField
from django_altoviz.models.mirrors.payloads import SHORT_TEXT, refuse_unstorable, short_text
from django_altoviz.models.mirrors.personal_data import as_erased, has_other_customer
from django_altoviz.models.statements import insert, save

#: The characters of a fingerprint.
FINGERPRINT = 32
#: {column: (old value, new value)}, with ``None`` for all old values of a new row.
Changes = dict[str, tuple[Any, Any]]


def short(verbose_name: Any, **options: Any) -> models.CharField[str | None, str | None]:
    """A column for a text that is looked up by its value."""
    return models.CharField(verbose_name, max_length=SHORT_TEXT, null=True, **options)


class LiveManager(models.Manager["Mirror"]):
    """Only what Altoviz has not deleted."""

    def get_queryset(self) -> models.QuerySet[Mirror]:
        return super().get_queryset().filter(deleted_at=None)


class Mirror(models.Model):
    """An object of Altoviz as the last received event shows it.

    ``data`` is the whole object. The columns are what people filter, sort, sum and join on, each
    called as Altoviz calls the field. Nothing but this app writes them.
    """

    # Unique in all of Altoviz, whose companies share the tables [inferred].
    altoviz_id = models.BigIntegerField(_("Altoviz id"), unique=True)
    account = IdentifierField(_("account"), max_length=64)
    internal_id = IdentifierField(_("internal id"), max_length=SHORT_TEXT, null=True)
    data = ExactJSONField(_("data"), help_text=_("The object as Altoviz sent it."))
    last_event_id = models.BigIntegerField(
        _("last event"), help_text=_("The event that the mirror shows; an older one is too late.")
    )
    synced_at = models.DateTimeField(_("synced at"), auto_now=True)
    deleted_at = models.DateTimeField(_("deleted at"), null=True)
    forgotten_at = models.DateTimeField(
        _("forgotten at"),
        null=True,
        help_text=_("When personal data were removed. What comes in since is shown without them."),
    )
    fingerprint = models.CharField(
        _("fingerprint"),
        max_length=FINGERPRINT,
        default="",
        editable=False,
        help_text=_("Of the text in which the first sync found the object."),
    )

    _ALWAYS_WRITTEN: tuple[str, ...] = ("data", "last_event_id", "synced_at", "fingerprint")

    objects = LiveManager()
    with_deleted = models.Manager()

    class Meta:
        abstract = True
        indexes = [models.Index(fields=["internal_id"], name="altoviz_%(class)s_internal")]

    @classmethod
    def entity(cls) -> Entity:
        """What it mirrors: a mirror is called as that is."""
        return Entity[cls.__name__.upper()]

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the columns, by attribute name.

        Raises:
            InvalidPayload: a value does not fit.
        """
        return {"internal_id": short_text(data, "internalId")}

    def show(self, data: Mapping[str, Any], body: str) -> Changes:
        """Take over an object as received, without saving. ``body`` is the text it was read from.

        Of what was forgotten no personal data are taken over, unless it is another customer's now.

        Raises:
            InvalidPayload: a value does not fit; nothing was taken over.
        """
        refuse_unstorable(data, body)
        lifted = {}
        if self.forgotten_at is not None:
            data = as_erased(self.entity(), data, self.data)
            if has_other_customer(data, self.data):
                lifted = {"forgotten_at": None}
        columns = self.columns_from(data) | lifted
        self.data, self.fingerprint = data, ""
        return self.set(columns)

    def set(self, columns: Mapping[str, Any]) -> Changes:
        """Set columns, and return those whose value that changes."""
        changes = {
            name: (old, new) for name, new in columns.items() if (old := getattr(self, name)) != new
        }
        for name, (_old, new) in changes.items():
            setattr(self, name, new)
        return changes

    def lines_shown(self) -> list[models.Model]:
        """What belongs to the row and was taken over with it, not saved yet."""
        return []

    def reach(self, *, is_certain: bool) -> list[str]:
        """Take note of the business signals that the columns show, and return those that are new.

        ``is_certain`` where the object was seen at the API, and not told by a delivery, which may be
        late and show the past.
        """
        return []

    def save_shown(self, changes: Collection[str], using: str) -> None:
        """Write the row, of whose columns these have changed, and what belongs to it."""
        if self._state.adding:
            insert(self, using)
            return
        self.synced_at = timezone.now()
        save(self, {*self._ALWAYS_WRITTEN, *changes})


def dump_changes(changes: Changes) -> dict[str, list[Any]]:
    """Changes as JSON, to keep on the event."""
    return {name: [_dump(old), _dump(new)] for name, (old, new) in changes.items()}


def _dump(value: Any) -> Any:
    if isinstance(value, datetime.date):  # and a datetime is one
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def load_changes(model: type[Mirror], stored: Mapping[str, list[Any]]) -> Changes:
    """What ``dump_changes`` was given, for the columns that the model still has."""
    columns = {field.attname: field for field in model._meta.concrete_fields}
    return {
        name: (columns[name].to_python(old), columns[name].to_python(new))
        for name, (old, new) in stored.items()
        if name in columns
    }

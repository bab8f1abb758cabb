"""The base of all mirrors."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from django_altoviz.event_types import Entity
from django_altoviz.models.mirrors.fields import (
    ExactCharField,
    ExactDateTimeField,
    ExactJSONField,
    IdentifierField,
)
from django_altoviz.models.mirrors.payloads import SHORT_TEXT, refuse_unstorable, short_text
from django_altoviz.models.mirrors.personal_data import as_erased, has_other_customer
from django_altoviz.models.mirrors.relations import KEY_LENGTH, KeyField
from django_altoviz.models.mirrors.searching import SEARCH_LENGTH, search_text
from django_altoviz.models.statements import insert, save

#: The length of a fingerprint, in characters.
FINGERPRINT = 32
#: {column: (old value, new value)}, with ``None`` for all old values of a new row.
Changes = dict[str, tuple[Any, Any]]

AnyMirror = TypeVar("AnyMirror", bound="Mirror")


def short(verbose_name: Any, **options: Any) -> ExactCharField[str | None, str | None]:
    """Return a column for text that is looked up by its value."""
    return ExactCharField(verbose_name, max_length=SHORT_TEXT, null=True, **options)


class LiveManager(models.Manager[AnyMirror]):
    """Hide the objects that were deleted at Altoviz."""

    def get_queryset(self) -> models.QuerySet[AnyMirror]:
        return super().get_queryset().filter(deleted_at=None)


class Mirror(models.Model):
    """A local copy of an object of Altoviz, as the last received event shows it.

    ``data`` is the whole object. The columns are what people filter, sort, sum and join on, and have
    Altoviz's names of the fields. Only this app writes them. ``deleted_at`` makes a row a tombstone.
    """

    # Altoviz numbers the objects of all companies in one sequence [inferred], but two servers do not,
    # and nothing that one account sends may touch what another has.
    altoviz_id = models.BigIntegerField(_("Altoviz id"))
    account = IdentifierField(_("account"), max_length=64)
    key = KeyField(_("key"), max_length=KEY_LENGTH, editable=False)
    internal_id = IdentifierField(_("internal id"), max_length=SHORT_TEXT, null=True)
    data: ExactJSONField[Mapping[str, Any], dict[str, Any]] = ExactJSONField(
        _("data"), help_text=_("The object as Altoviz sent it.")
    )
    last_event_id = models.BigIntegerField(
        _("last event"),
        help_text=_("The event that the row shows. An older event does not overwrite it."),
    )
    synced_at = ExactDateTimeField(_("synced at"), auto_now=True)
    deleted_at = ExactDateTimeField(_("deleted at"), null=True)
    forgotten_at = ExactDateTimeField(
        _("forgotten at"),
        null=True,
        help_text=_("When personal data were erased. Later events are shown without them."),
    )
    fingerprint = models.CharField(
        _("fingerprint"),
        max_length=FINGERPRINT,
        default="",
        editable=False,
        help_text=_("A hash of the text in which the first sync found the object."),
    )

    search_text = ExactCharField(
        _("search text"),
        max_length=SEARCH_LENGTH,
        default="",
        editable=False,
        help_text=_("What the admin searches: in lower case, and without accents."),
    )

    #: The columns that a search looks into.
    _SEARCHED: tuple[str, ...] = ("altoviz_id", "internal_id")
    _ALWAYS_WRITTEN: tuple[str, ...] = ("data", "last_event_id", "synced_at", "fingerprint")

    #: The objects that change by themselves until they are settled. A watch looks at these.
    OPEN: models.Q | None = None
    #: The objects that Altoviz leaves out of its lists unless it is asked for them.
    HIDDEN: models.Q | None = None

    objects = LiveManager()
    with_deleted = models.Manager()

    class Meta:
        abstract = True
        # dumpdata takes the default manager. Without tombstones, a late event would revive an object.
        default_manager_name = "with_deleted"
        default_permissions = (
            "add",
            "change",
            "delete",
            "view",
            "export",
            "refetch",
        )
        indexes = [
            models.Index(fields=["internal_id"], name="altoviz_%(class)s_internal"),
            models.Index(fields=["search_text"], name="altoviz_%(class)s_search"),
            models.Index(fields=["synced_at"], name="altoviz_%(class)s_synced"),
        ]
        constraints = [
            # The id comes first, so that a look-up by the id alone is fast.
            models.UniqueConstraint(
                fields=["altoviz_id", "account"], name="altoviz_%(class)s_identity"
            ),
            models.UniqueConstraint(fields=["key"], name="altoviz_%(class)s_key"),
        ]

    @classmethod
    def entity(cls) -> Entity:
        """Return the kind of object that it mirrors, which has the model's name."""
        return Entity[cls.__name__.upper()]

    @classmethod
    def columns_from(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        """Read the values of the columns, by attribute name.

        Raises:
            InvalidPayload: a value does not fit.
        """
        return {"internal_id": short_text(data, "internalId")}

    def _apply(self, data: Mapping[str, Any], raw: str) -> Changes:
        """Take the object's values over from its ``data``, without saving. ``raw`` is the text that
        they were read from.

        A forgotten object stays without personal data, unless it is another customer's now.

        Raises:
            InvalidPayload: a value does not fit; nothing was taken over.
        """
        refuse_unstorable(data, raw)
        columns = {}
        if self.forgotten_at is not None:
            data = as_erased(self.entity(), data, self.data)
            if has_other_customer(data, self.data):
                columns = {"forgotten_at": None}
        columns |= self.columns_from(data)
        self._read_lines(data)
        self.data, self.fingerprint = data, ""
        return self._assign(columns)

    def _read_lines(self, data: Mapping[str, Any]) -> None:
        """Read the lines of a document, to be saved with the row."""

    def _assign(self, columns: Mapping[str, Any]) -> Changes:
        """Set columns, and return the changes: the columns whose values differ from before."""
        changes = {
            name: (old, new) for name, new in columns.items() if (old := getattr(self, name)) != new
        }
        for name, (_old, new) in changes.items():
            setattr(self, name, new)
        if self._is_searched_anew(changes):
            self.search_text = search_text(getattr(self, name) for name in self._SEARCHED)
        return changes

    def _is_searched_anew(self, changes: Collection[str]) -> bool:
        return not self.search_text or not set(self._SEARCHED).isdisjoint(changes)

    @classmethod
    def _counts(cls) -> Mapping[str, Any]:
        """Return the relations to count when the row is locked, by the attribute for the number."""
        return {}

    def _pending_lines(self) -> list[models.Model]:
        """Return the lines that were read and are not saved yet."""
        return []

    def _update_business_signals(self, *, from_api: bool) -> list[str]:
        """Update the record of business signals from the columns, and return those that are new.

        ``from_api`` says that the object was read at the API. A delivery may be late and show the
        past.
        """
        return []

    def _save(self, changes: Collection[str], using: str) -> None:
        """Upsert the row, and replace its lines if they changed.

        Of a row that is stored already, write only ``changes`` and ``_ALWAYS_WRITTEN``.
        """
        if self._state.adding:
            insert(self, using)
            return
        self.synced_at = timezone.now()
        search_text = ["search_text"] if self._is_searched_anew(changes) else []
        save(self, {*self._ALWAYS_WRITTEN, *changes, *search_text})


def dump_changes(changes: Changes) -> dict[str, list[Any]]:
    """Return the changes as JSON values, to store them with the event."""
    return {name: [_dump(old), _dump(new)] for name, (old, new) in changes.items()}


def _dump(value: Any) -> Any:
    if isinstance(value, datetime.date):  # and a datetime is one
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def load_changes(model: type[Mirror], stored: Mapping[str, list[Any]]) -> Changes:
    """Return what ``dump_changes`` was given, for the columns that the model still has."""
    columns = {field.attname: field for field in model._meta.concrete_fields}
    return {
        name: (columns[name].to_python(old), columns[name].to_python(new))
        for name, (old, new) in stored.items()
        if name in columns
    }

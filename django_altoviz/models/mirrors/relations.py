"""The identity of a mirrored object, and relations by it.

Two companies may use the same Altoviz id, and an object may come before the one that it refers to. So
a relation holds a key made of account and id, which is known before its object is.
"""

from __future__ import annotations

from typing import Any, overload

from django.db import models
from django.db.models.fields.related_descriptors import (
    ForwardManyToOneDescriptor,
    ReverseManyToOneDescriptor,
    create_reverse_many_to_one_manager,
)
from django.utils.functional import cached_property

from django_altoviz.models.mirrors.fields import GetType, IdentifierField, SetType

#: The length of the longest key: an account, a colon, and an id of 64 bits.
KEY_LENGTH = 64 + 1 + 19


@overload
def key_of(account: str, altoviz_id: int) -> str: ...
@overload
def key_of(account: str, altoviz_id: int | None) -> str | None: ...
def key_of(account: str, altoviz_id: int | None) -> str | None:
    """Return the key of an object, ``account:id``, or ``None`` for no object.

    The id follows the last colon, so no two objects have the same key.
    """
    return None if altoviz_id is None else f"{account}:{altoviz_id}"


class KeyField(IdentifierField[SetType, GetType]):
    """The key of a row, computed from its ``account`` and ``altoviz_id`` whenever it is saved."""

    def pre_save(self, model_instance: Any, add: bool) -> str | None:
        key: str | None = key_of(model_instance.account, model_instance.altoviz_id)
        setattr(model_instance, self.attname, key)
        return key


class _NoneUntilMirrored(ForwardManyToOneDescriptor):  # type: ignore[type-arg]
    def get_object(self, instance: models.Model) -> models.Model | None:  # type: ignore[override]
        try:
            return super().get_object(instance)
        except self.field.remote_field.model.DoesNotExist:
            return None


class _LiveOnly(ReverseManyToOneDescriptor):  # type: ignore[type-arg]
    @cached_property
    def related_manager_cls(self) -> Any:
        # Django would take the default manager, which has the deleted objects, too.
        model: Any = self.rel.related_model
        return create_reverse_many_to_one_manager(type(model.objects), self.rel)


class MirrorKey(models.ForeignKey[SetType, GetType]):
    """A foreign key to an object of the same account, which may not be mirrored yet.

    There is no database constraint, because an invoice may arrive before its customer. Until the
    customer arrives, the relation is ``None``, while its column has the customer's key already.
    """

    forward_related_accessor_class = _NoneUntilMirrored
    related_accessor_class = _LiveOnly

    def __init__(
        self, to: Any, on_delete: Any = models.DO_NOTHING, *, null: bool = True, **kwargs: Any
    ) -> None:
        # Declarations repeat null=True, because the plugin of django-stubs looks for it there.
        # Models index the column in Meta: on PostgreSQL, db_index would make a second index for LIKE.
        fixed = {"to_field": "key", "db_constraint": False, "db_index": False}
        super().__init__(to, on_delete, **{"null": null, "blank": True, **kwargs, **fixed})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        # Django leaves out what is its own default, which is another one than ours.
        return name, path, args, kwargs | {"null": self.null}

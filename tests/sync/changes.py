"""Make random changes at a fake Altoviz, and find drift of the mirror."""

from __future__ import annotations

import contextlib
from functools import partial

from django_altoviz.event_types import Entity
from django_altoviz.models import MIRRORS
from django_altoviz.sync import ENTITIES
from django_altoviz.testing import NoSuchObject, Refused


def change(altoviz, random):
    """Make a random change. The fake may refuse it, as Altoviz refuses changes of its users."""
    records = getattr(altoviz, f"{random.choice(ENTITIES)}s")
    with contextlib.suppress(Refused, NoSuchObject):
        random.choice(_changes_of(records))(altoviz, records, random)


#: The steps of each kind of document, by the fake's names.
STEPS = {
    "Invoice": ("send", "cancel", "pay", "finalize"),
    "Quote": ("send", "refuse", "invoice", "accept"),
    "Credit": ("send", "refund", "finalize"),
}


def _changes_of(records):
    steps = [partial(_take, step) for step in STEPS.get(records.name, ())]
    return [_create, _create, _edit, _edit, _delete, *steps]


def _any_id(records, random):
    ids = records.store.ids()
    if not ids:
        raise NoSuchObject
    return random.choice(ids)


def _create(altoviz, records, random):
    if records.name in STEPS:
        records.create(customerId=_any_id(altoviz.customers, random))
    else:
        records.create()


def _edit(altoviz, records, random):
    fields = {"Customer": "companyName", "Contact": "lastName", "Product": "name"}
    field = fields.get(records.name, "subject")
    # Few names, so that objects often return to an earlier state.
    records.change(_any_id(records, random), **{field: random.choice("ABC")})


def _delete(altoviz, records, random):
    records.delete(_any_id(records, random))


def _take(step, altoviz, records, random):
    getattr(records, step)(_any_id(records, random))


def drift(altoviz):
    """Return the objects whose data, columns or lines differ between the mirror and Altoviz."""
    return [
        (entity.value, id)
        for entity in ENTITIES
        for here, there in [(_in_mirror(entity), _at_altoviz(altoviz, entity))]
        for id in here.keys() | there.keys()
        if here.get(id) != there.get(id)
    ]


def _in_mirror(entity):
    model = MIRRORS[entity]
    return {row.altoviz_id: _content(row) for row in model.objects.all()}


def _content(row):
    columns = {name: getattr(row, name) for name in row.columns_from({})}
    lines = [line.data for line in row.lines.all()] if hasattr(row, "lines") else None
    return row.data, columns, lines


def _at_altoviz(altoviz, entity):
    model = MIRRORS[Entity(entity)]
    return {
        object["id"]: (object, model.columns_from(object), object.get("lines"))
        for object in getattr(altoviz, f"{entity}s").all()
    }

"""Many new rows of the mirror at once, without events."""

from __future__ import annotations

from django.db import Error, transaction

from django_altoviz import exact_json
from django_altoviz.exceptions import InvalidPayload
from django_altoviz.models import Mirror, SyncRun
from django_altoviz.sync.comparing import Objects, Texts, fingerprint, mirror_of


def rows_of(
    run: SyncRun, objects: Objects, texts: Texts, as_of: int
) -> tuple[list[Mirror], Objects]:
    """The rows that show the objects, not saved yet, and the objects that do not fit."""
    model = mirror_of(run)
    rows, misfits = [], {}
    for id, object in objects.items():
        text = texts.get(id, "")
        row = model(altoviz_id=id, account=run.account, last_event_id=as_of)
        try:
            row._apply(object, text or exact_json.as_text(object))
        except InvalidPayload:
            misfits[id] = object
        else:
            row.fingerprint = fingerprint(text) if text else ""
            row._update_business_signals(from_api=True)  # what it has reached is not told any more
            rows.append(row)
    return rows, misfits


def fill(run: SyncRun, rows: list[Mirror]) -> None:
    """Save the rows and what belongs to them; has to run in a transaction."""
    if not rows:
        return
    type(rows[0]).with_deleted.using(run._state.db).bulk_create(rows)
    lines = [line for row in rows for line in row._pending_lines()]
    if lines:
        type(lines[0])._default_manager.using(run._state.db).bulk_create(lines)


def fill_one(run: SyncRun, row: Mirror) -> bool:
    """The same for one row. False where the database refuses it: perhaps a webhook was faster."""
    try:
        with transaction.atomic(using=run._state.db):
            fill(run, [row])
    except Error:
        return False
    return True

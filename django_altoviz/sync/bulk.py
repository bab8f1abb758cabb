"""Insert new mirror rows in bulk, without events. Only the first sync does that."""

from __future__ import annotations

from django.db import Error, transaction

from django_altoviz import exact_json
from django_altoviz.exceptions import InvalidPayload
from django_altoviz.models import Mirror, SyncRun
from django_altoviz.sync.comparing import Objects, Raw, fingerprint, model_of
from django_altoviz.sync.overdue import count_as_signalled


def build_rows(
    run: SyncRun, objects: Objects, raw: Raw, as_of: int
) -> tuple[list[Mirror], Objects]:
    """Return unsaved mirror rows for the objects, and the objects that do not fit the mirror."""
    model = model_of(run)
    rows, misfits = [], {}
    for id, object in objects.items():
        text = raw.get(id, "")
        row = model(altoviz_id=id, account=run.account, last_event_id=as_of)
        try:
            row._apply(object, text or exact_json.dumps_storable(object))
        except InvalidPayload:
            misfits[id] = object
        else:
            row.fingerprint = fingerprint(text) if text else ""
            # The business signals that the document proves count as sent: the import sends none.
            row._update_business_signals(from_api=True)
            count_as_signalled(row)
            rows.append(row)
    return rows, misfits


def save_rows(run: SyncRun, rows: list[Mirror]) -> None:
    """Insert the rows and their lines. Must run in a transaction."""
    type(rows[0]).with_deleted.using(run._state.db).bulk_create(rows)
    lines = [line for row in rows for line in row._pending_lines()]
    if lines:
        type(lines[0])._base_manager.using(run._state.db).bulk_create(lines)


def save_row(run: SyncRun, row: Mirror) -> bool:
    """Insert one row. Return False if the database refuses it: a webhook may have been faster."""
    try:
        with transaction.atomic(using=run._state.db):
            save_rows(run, [row])
    except Error:
        return False
    return True

"""Read one object again at Altoviz, because somebody asks for it."""

from __future__ import annotations

from enum import Enum

from django_altoviz.models import Mirror
from django_altoviz.processing.refetching import impatient_client
from django_altoviz.sync.comparing import newest_event
from django_altoviz.sync.reconciling import MAX_READINGS, Reconciler, read


class Reread(Enum):
    """The result of reading an object again. The value is how a sync would count the object."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    #: Altoviz does not know it. Only a sync deletes it: it also checks whose the API key is.
    GONE = "gone"
    #: Events of it came in during each reading, so the mirror may be newer than what was read.
    OVERTAKEN = "overtaken"


def reread(row: Mirror) -> Reread:
    """Read the object of a mirror's row, and apply a difference as a sync does: as an event.

    Raises:
        APIFailure: the object could not be read.
        UnknownAccount: ``ALTOVIZ`` has no such account.
        ImproperlyConfigured: the account has no ``API_KEY``.
    """
    with impatient_client(row.account) as client:
        reconciler = Reconciler.without_run(row.account, row.entity(), client)
        for _ in range(MAX_READINGS):
            as_of = newest_event(reconciler.using)
            found = read(reconciler.resource, row.altoviz_id)
            if found is None:
                return Reread.GONE
            count = reconciler.apply_one(row.altoviz_id, found, as_of)
            if count is not None:
                return Reread.CHANGED if count == "new" else Reread(count)
    return Reread.OVERTAKEN

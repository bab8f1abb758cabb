"""The workers: who processes stored events, and do they work."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

from django_altoviz import checks
from django_altoviz.conf import app_settings
from django_altoviz.dispatchers import get_dispatch, goes_round
from django_altoviz.doctor.configuration import findings_of_checks
from django_altoviz.doctor.findings import Finding, Visit, failing, skipped, well


def examine_workers(visit: Visit) -> Iterator[Finding]:
    try:
        get_dispatch()
    except ImproperlyConfigured as error:
        cure = _("Correct DISPATCHER in ALTOVIZ, or install what it imports.")
        yield failing("dispatcher", str(error), cure)
        return
    path = app_settings.DISPATCHER
    yield well("dispatcher", _("The dispatcher is %(path)s.") % {"path": path})
    yield _task_round(visit)
    yield from findings_of_checks([], [checks.check_queue])


def _task_round(visit: Visit) -> Finding:
    about = {"seconds": f"{visit.patience:g}"}
    try:
        has_answered = goes_round(visit.patience)
    except NotImplementedError:  # a backend of Django Tasks that keeps no results
        has_answered = None
    except Exception as error:  # each broker has exceptions of its own
        return failing(
            "task",
            _("The queue does not take a task: %(kind)s: %(error)s")
            % {"kind": type(error).__name__, "error": error},
            _(
                "Start the broker, or correct its URL. Until then, altoviz_process_events does the work."
            ),
        )
    if has_answered is None:
        return skipped("task", _("The dispatcher has no queue, or its queue gives no answer."))
    if has_answered:
        return well("task", _("A worker has answered a task."))
    return failing(
        "task",
        _("The queue took a task, and no worker answered in %(seconds)s seconds.") % about,
        _(
            "Start a worker of this project that takes tasks from the queue of django-altoviz "
            "(Celery: --queues), and restart those of an older version. If all are busy, ask again with "
            "a longer --wait."
        ),
    )

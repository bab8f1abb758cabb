"""The check of the queue that events are sent to."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.core.checks import CheckMessage, Warning
from django.utils.translation import gettext as _

from django_altoviz.conf import app_settings

# The default of Celery, and a name that says nothing about the project.
_ORDINARY = {"celery", "altoviz"}


def check_queue(**kwargs: Any) -> list[CheckMessage]:
    """Find a queue that other projects may use, too (``check --deploy``)."""
    try:
        name = import_module(app_settings.DISPATCHER).queue_name()
    except Exception:  # another dispatcher, or one that other checks report
        return []
    if name not in _ORDINARY:
        return []
    return [
        Warning(
            _("The tasks go to the queue “%(name)s”, which other projects may use, too.")
            % {"name": name},
            hint=_(
                "Name a queue after your project in Celery's task_routes, and let the workers take "
                "the tasks from there. On one broker, two projects with the same queue take each "
                "other's tasks."
            ),
            id="django_altoviz.W017",
        )
    ]

"""Kill this process during a sync: ``python -m tests.sync.killed DATABASE URL PAGE``."""

from __future__ import annotations

import os
import signal
import sys

import django
from django.conf import settings
from django.db import connection
from django.test import override_settings

from tests.sync.lists import KEY


def main(database, url, page):
    from django_altoviz.event_types import Entity
    from django_altoviz.sync import Watcher, sync

    class Killer(Watcher):
        def progressed(self, run):
            if run.position["page"] >= int(page):
                os.kill(os.getpid(), signal.SIGKILL)

    connection.settings_dict["NAME"] = database
    api = {"API_KEY": KEY, "BASE_URL": url, "API_REQUESTS_PER_MINUTE": 100_000}
    with override_settings(ALTOVIZ=settings.ALTOVIZ | api):
        sync(entities=[Entity.CUSTOMER], watcher=Killer())


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    main(*sys.argv[1:])

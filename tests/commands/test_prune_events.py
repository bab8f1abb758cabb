from __future__ import annotations

import datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from django_altoviz.event_types import EventType
from django_altoviz.models import WebhookEvent

pytestmark = pytest.mark.django_db


def run(*args):
    out = StringIO()
    call_command("altoviz_prune_events", *args, stdout=out)
    return out.getvalue()


@pytest.fixture
def old(post):
    post(EventType.CUSTOMER_CREATED)
    post(b"ping")
    old = timezone.now() - datetime.timedelta(days=100)
    WebhookEvent.objects.update(received_at=old)


@pytest.mark.usefixtures("old")
class TestPrune:
    def test_uses_the_windows_of_the_settings_by_default(self, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"RETENTION_DAYS": 101}
        assert run() == "Events emptied: 0, deleted: 0.\n"
        settings.ALTOVIZ = settings.ALTOVIZ | {"RETENTION_DAYS": 99}
        assert run() == "Events emptied: 1, deleted: 1.\n"
        assert WebhookEvent.with_pruned.count() == 1

    def test_uses_the_windows_of_the_options(self):
        assert run("--days", "101") == "Events emptied: 0, deleted: 0.\n"
        assert run("--days", "50", "--dry-run") == "Events to empty: 1, to delete: 1.\n"
        assert WebhookEvent.objects.count() == 2
        assert run("--days", "50") == "Events emptied: 1, deleted: 1.\n"
        assert run("--days", "50", "--dedupe-days", "60") == "Events emptied: 0, deleted: 1.\n"
        assert not WebhookEvent.with_pruned.exists()

    def test_keeps_the_ids_for_ever_if_the_caller_says_so(self, settings):
        settings.ALTOVIZ = settings.ALTOVIZ | {"DEDUPE_DAYS": 95}
        WebhookEvent.objects.update(pruned_at=timezone.now())
        call_command("altoviz_prune_events", dedupe_days=None, stdout=StringIO())
        assert WebhookEvent.with_pruned.count() == 1
        assert run() == "Events emptied: 0, deleted: 1.\n"

    def test_uses_the_window_of_a_status(self, settings):
        assert run("--days", "50", "--status", "malformed=never") == (
            "Events emptied: 1, deleted: 0.\n"
        )
        settings.ALTOVIZ = settings.ALTOVIZ | {"RETENTION_BY_STATUS": {"malformed": 101}}
        assert run("--days", "50") == "Events emptied: 0, deleted: 0.\n"
        assert run("--status", "malformed=99") == "Events emptied: 0, deleted: 1.\n"

    @pytest.mark.parametrize("window", ["pending=5", "dead", "dead=0", "gone=5"])
    def test_refuses_an_invalid_window(self, window):
        with pytest.raises(CommandError, match=r"is not one of|write 1 to 36500"):
            run("--status", window)

    @pytest.mark.parametrize("days", ["0", "-1", "many", "1.5", ""])
    def test_refuses_an_invalid_number_of_days(self, days):
        with pytest.raises(CommandError, match="write 1 to 36500"):
            run(f"--days={days}")

    def test_refuses_to_delete_ids_before_the_content(self):
        with pytest.raises(CommandError, match="must not be shorter"):
            run("--days", "50", "--dedupe-days", "40")
        assert WebhookEvent.objects.count() == 2


def test_with_verbosity_0_nothing_is_printed(capsys):
    for command in ("altoviz_prune_events", "altoviz_process_events"):
        call_command(command, verbosity=0)
        assert capsys.readouterr() == ("", "")

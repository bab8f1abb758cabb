"""Syncs in the workers: in slices, each of which enqueues the rest."""

from __future__ import annotations

import time
from importlib import import_module

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django_tasks_db.models import DBTaskResult
from rest_framework.test import APIClient

from django_altoviz.dispatchers import celery, dispatch_sync, queued
from django_altoviz.exceptions import NotAuthorized, SyncPaused
from django_altoviz.models import Customer, Invoice, SyncRun
from django_altoviz.sync import ENTITIES, Watcher, slices
from django_altoviz.testing import FakeAltoviz
from tests.test_admin import client_of
from tests.test_admin_operations import confirmation, run
from tests.test_admin_overview import OPERATE, VIEW

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "django_altoviz.dispatchers"


@pytest.fixture(autouse=True)
def altoviz(settings):
    cache.clear()
    with FakeAltoviz() as altoviz:
        altoviz.populate(customers=3, invoices=2)
        settings.ALTOVIZ = settings.ALTOVIZ | altoviz.settings
        yield altoviz


@pytest.fixture
def django_tasks(settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": f"{PATH}.django_tasks"}
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}


def is_synced():
    kinds = SyncRun.objects.exclude(finished_at=None).values_list("entity", flat=True)
    assert len(kinds) == len({*kinds}), "no kind is synced twice"
    return (len(kinds), Customer.objects.count(), Invoice.objects.count()) == (len(ENTITIES), 3, 2)


def work():
    call_command("db_worker", batch=True, reload=False, startup_delay=False, verbosity=0)


def test_a_slice_enqueues_the_kinds_that_are_left(monkeypatch):
    monkeypatch.setattr(queued, "TIME_BUDGET", 0)
    enqueued = []
    queued.sync_account("default", [], lambda *rest: enqueued.append(rest))
    assert enqueued == [("default", [*ENTITIES])]
    while enqueued:
        queued.sync_account(*enqueued.pop(), lambda *rest: enqueued.append(rest))
    assert is_synced()


def test_a_slice_that_fails_enqueues_nothing(altoviz):
    altoviz.fail_next(*[401] * 5)
    with pytest.raises(NotAuthorized):
        queued.sync_account("default", [], pytest.fail)


def test_celery_syncs(celery_app, monkeypatch):
    monkeypatch.setattr(queued, "TIME_BUDGET", 0)
    celery_app.conf.task_always_eager = True
    assert dispatch_sync("default")
    assert is_synced()


def test_django_tasks_syncs(django_tasks, monkeypatch):
    monkeypatch.setattr(queued, "TIME_BUDGET", 0)
    assert dispatch_sync("default")
    assert not SyncRun.objects.exists()
    work()
    assert DBTaskResult.objects.count() > 1
    assert is_synced()


def test_the_admin_leaves_it_to_the_workers(django_tasks):
    operator = client_of("operator", *VIEW, *OPERATE)
    (step,) = confirmation(operator, "sync")
    assert step.startswith("The workers read all objects at Altoviz")
    assert run(operator, "sync") == ["The sync waits for a worker now."]
    assert not SyncRun.objects.exists()
    work()
    assert is_synced()


def test_a_dispatcher_without_a_queue_does_not_sync(settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": f"{PATH}.deferred"}
    assert not dispatch_sync("default")


def test_a_queue_that_does_not_answer_is_named(celery_app, monkeypatch):
    celery_app.conf.broker_url = "redis://127.0.0.1:1"
    operator = client_of("operator", *VIEW, *OPERATE)
    (message,) = run(operator, "sync")
    assert message.startswith("The queue did not take the sync: ")


def test_celery_watches(celery_app, altoviz):
    celery_app.conf.task_always_eager = True
    celery.watch_account.delay()
    assert is_synced()
    altoviz.customers.create()
    celery.watch_account.delay("default")
    assert Customer.objects.count() == 4


def test_django_tasks_watch(django_tasks, altoviz):
    import_module(f"{PATH}.django_tasks").watch_account.enqueue()
    work()
    assert is_synced()


def starts_by_api():
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("root"))
    return client.post("/api/altoviz/v1/syncs/")


def test_the_rest_api_leaves_a_sync_to_the_workers(django_tasks):
    answer = starts_by_api()
    assert (answer.status_code, answer.json()["outcome"]) == (202, "queued")
    work()
    assert is_synced()


def test_the_rest_api_says_that_the_queue_does_not_answer(settings, monkeypatch):
    def refuse(*args):
        raise OSError("no broker")

    monkeypatch.setattr(celery, "enqueue_sync", refuse)
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": f"{PATH}.celery"}
    answer = starts_by_api()
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("The queue did not take the sync.")


def test_a_task_that_ends_is_not_taken_for_a_queue_that_does_not_answer(settings, monkeypatch):
    def end(*args):
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(celery, "enqueue_sync", end)
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": f"{PATH}.celery"}
    with pytest.raises(SoftTimeLimitExceeded):
        run(client_of("operator", *VIEW, *OPERATE), "sync")
    with pytest.raises(SoftTimeLimitExceeded):
        starts_by_api()


def test_in_a_worker_a_pause_does_not_end_the_slice():
    assert slices._Timekeeper(0, Watcher(), may_wait=True).paused(60) is None
    with pytest.raises(SyncPaused):
        slices._Timekeeper(time.monotonic() + 30, Watcher(), may_wait=False).paused(60)


def test_a_slice_tells_its_watcher_that_a_request_is_repeated():
    told = []
    watcher = Watcher()
    watcher.retrying = told.append
    slices._Timekeeper(time.monotonic() + 30, watcher, may_wait=True).retrying(3)
    assert told == [3]
    with pytest.raises(SyncPaused):
        slices._Timekeeper(time.monotonic() + 30, watcher, may_wait=False).retrying(60)
    assert told == [3]

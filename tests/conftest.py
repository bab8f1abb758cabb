from __future__ import annotations

import contextlib
import json
import os
import random

import hypothesis
import pytest
from django.db import connection, router
from django.test import Client

from django_altoviz import rejections
from django_altoviz.event_types import SENT_TYPES, EventType
from django_altoviz.intake import signing
from django_altoviz.models import SyncRun
from django_altoviz.samples import new_event_id, sample, sample_body, to_body
from django_altoviz.sync.comparing import newest_event
from django_altoviz.sync.differences import Action, record_difference
from tests.settings import ALTOVIZ

pytest_plugins = ["django_altoviz.pytest_plugin", "pytester"]
# A project with settings of its own: tests/test_consumer.py runs its tests.
collect_ignore = ["consumer"]

# On a busy machine the time of an example says nothing, so there is no deadline.
hypothesis.settings.register_profile(
    "same", deadline=None, derandomize=True, database=None, max_examples=20
)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def examples(number):
    """Return the profile's share of this number of examples: all of them in "ci"."""
    return max(1, number * hypothesis.settings().max_examples // 100)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Give all workers one seed, which the header shows, if the profile draws fresh examples."""
    if not hypothesis.settings().derandomize and config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(random.getrandbits(32))


def pytest_report_header(config):
    if config.option.hypothesis_seed is not None:
        return f"hypothesis: --hypothesis-seed={config.option.hypothesis_seed}"
    return "hypothesis: the same examples each time"


#: Files whose tests share a server or a project that is expensive to start.
TOGETHER = {
    "tests/browser/test_journeys.py",
    "tests/browser/test_pages.py",
    "tests/browser/test_themes.py",
    "tests/test_example_project.py",
    "tests/test_readme.py",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give these files to one worker each, first, and the other tests to whichever is free."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return path if path in TOGETHER else nodeid

    return Scheduling(config, log) if config.getoption("dist") == "load" else None


def pytest_collection_modifyitems(items):
    """Exclude drawn examples from the coverage, because what they reach changes with the draws."""
    for item in items:
        if hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("no_cover")


SECRETS = {
    "default": ALTOVIZ["WEBHOOK_SECRET"],
    "acme": ALTOVIZ["ACCOUNTS"]["acme"]["WEBHOOK_SECRET"],
}


def body_of(event_type, event_id=None, **data):
    """Return the body of a delivery: the sample of the type with some of its data changed."""
    envelope = sample(EventType(event_type))
    return to_body(type(envelope)(event_id or new_event_id(), envelope.type, envelope.data | data))


def find_difference(event_type, account="default", **data):
    """Process the sample of the type, with some of its data changed, as what a sync has found."""
    run = SyncRun(account=account, entity=EventType(event_type).entity)
    run._state.db = router.db_for_write(SyncRun)
    action = Action[EventType(event_type).name.rpartition("_")[2]]
    found = sample(EventType(event_type)).data | data
    return record_difference(run, action, found, newest_event(run._state.db))


@pytest.fixture
def bring(post):
    """Return a function that brings a sample in: as a delivery, or by a sync if none is sent."""

    def bring(event_type, **data):
        if event_type in SENT_TYPES:
            assert post(body_of(event_type, **data) if data else event_type).status_code == 200
        else:
            find_difference(event_type, **data)

    return bring


@pytest.fixture
def samples(bring):
    """Bring an event of each type in."""
    for event_type in EventType:
        bring(event_type)


@pytest.fixture
def post():
    """Return a function that posts a body to the webhook, signed unless a signature is given."""

    def post(body, *, account="default", signature=None, client=None, path=None, **extra):
        if isinstance(body, EventType):
            body = sample_body(body)
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        if signature is None:
            signature = signing.sign(body, SECRETS[account.lower()])
        if path is None:
            path = "/altoviz/webhook/" + ("" if account == "default" else f"{account}/")
        extra.setdefault("content_type", "text/plain; charset=utf-8")
        client = client or Client(enforce_csrf_checks=True)
        return client.post(path, body, HTTP_X_SIGNATURE=signature, **extra)

    return post


@pytest.fixture(autouse=True)
def tally(monkeypatch):
    """Begin each test without the rejections of others."""
    monkeypatch.setattr(rejections, "tally", rejections.Tally())
    return rejections.tally


@pytest.fixture
def deferred(settings):
    settings.ALTOVIZ = settings.ALTOVIZ | {"DISPATCHER": "django_altoviz.dispatchers.deferred"}


@contextlib.contextmanager
def without_table(model):
    """Rename the model's table, as if its migration had never run."""
    table = model._meta.db_table
    with connection.schema_editor() as editor:
        editor.alter_db_table(model, table, "elsewhere")
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            editor.alter_db_table(model, "elsewhere", table)

"""The scripts in the documentation of the REST API work against a real server."""

from __future__ import annotations

import json
import shutil
import textwrap
from pathlib import Path

import pytest
import requests
from django.contrib.auth.models import User

from django_altoviz.models import WebhookEvent
from tests.conftest import body_of
from tests.processes import run
from tests.test_docs import blocks

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = (Path(__file__).parents[1] / "docs" / "how-to" / "rest-api.rst").read_text()
ACCOUNT = ("reader", "a password of the tests")


@pytest.fixture
def root(live_server, post):
    User.objects.create_superuser(ACCOUNT[0], password=ACCOUNT[1])
    for id in range(1, 5):
        post(body_of("InvoiceUpdated", id=id, number=f"F-{id}", isPaid=id == 2, isDraft=False))
    return f"{live_server.url}/api/altoviz/"


def test_the_script_that_follows_the_changes_misses_none(root, post, tmp_path):
    names = {}
    exec(blocks(PAGE, "python")["follow"], names)
    session, file, copied = requests.Session(), tmp_path / "after", []
    session.auth = ACCOUNT
    names["follow"](root, session, file, lambda invoice: copied.append(invoice["number"]))
    assert copied == ["F-1", "F-2", "F-3", "F-4"]
    long_ago = "2026-01-01T00:00:00Z"
    WebhookEvent.objects.update(received_at=long_ago)
    post(body_of("InvoiceUpdated", id=3, number="F-33"))
    post(body_of("InvoiceDeleted", id=1, number="F-1"))
    copied.clear()
    for _ in range(2):
        names["follow"](root, session, file, lambda invoice: copied.append(invoice["number"]))
    assert set(copied[-2:]) == {"F-33", "F-1"}


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js")
def test_the_front_end_lists_the_unpaid_invoices(root, tmp_path):
    call = f"""
    const headers = {{ Authorization: "Basic " + btoa({json.dumps(":".join(ACCOUNT))}) }};
    unpaidInvoices("{root}", headers).then((found) => console.log(JSON.stringify(found)));
    """
    file = tmp_path / "list.mjs"
    file.write_text(blocks(PAGE, "javascript")["front-end"] + textwrap.dedent(call))
    found = json.loads(run(["node", str(file)]).stdout)
    assert [number for number, _customer, _balance in found] == ["F-4", "F-3", "F-1"]

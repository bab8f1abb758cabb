"""Fill the project's database: users, an ordinary company, and content that attacks its readers.

``python -m tests.browser.content`` runs it with the project's settings.
"""

from __future__ import annotations

import django

#: It leaves every context that a careless template could put it into, and fits every column.
EVIL = (
    "\"'><script>alert(1)</script><img src=x onerror=alert(2)></textarea></title>"
    "<style>*{display:none}</style>{{7*7}}{% debug %}\u202e&lt;b&gt;" + "W" * 60
)
PASSWORD = "a password"
NUMBER = "FA001050"
CUSTOMER = "Fonderie Brûlé"


def fill():
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    add_users()
    post_ordinary_deliveries()
    post_hostile_deliveries()
    add_hostile_rows()


def add_users():
    from django.contrib.auth.models import Permission, User

    User.objects.create_superuser("admin", password=PASSWORD)
    viewer = User.objects.create_user("viewer", password=PASSWORD, is_staff=True)
    permissions = Permission.objects.filter(content_type__app_label="django_altoviz")
    viewer.user_permissions.set(permissions.filter(codename__startswith="view_"))


def post(body, **headers):
    from django.test import Client

    from django_altoviz.intake.signing import sign
    from tests.conftest import SECRETS

    signature = sign(body, SECRETS["default"])
    Client(headers={"X-Signature": signature, **headers}).post(
        "/altoviz/webhook/", body, content_type="text/plain"
    )


def post_ordinary_deliveries():
    from django_altoviz.event_types import SENT_TYPES, EventType
    from django_altoviz.samples import sample_body
    from tests.browser.apps import TRAP
    from tests.conftest import body_of, find_difference

    for event_type in EventType:
        if event_type in SENT_TYPES and not event_type.is_deletion:
            post(sample_body(event_type))
    find_difference(EventType.CREDIT_UPDATED)
    post(body_of("InvoiceUpdated", number=NUMBER, customerName=CUSTOMER))
    TRAP.touch()
    post(body_of("InvoiceUpdated", number=NUMBER, customerName=CUSTOMER, isPaid=True))
    post(body_of("InvoiceUpdated", number=NUMBER, customerName=CUSTOMER, subject="Later"))
    TRAP.unlink()
    post(body_of("CustomerUpdated", name=5))
    post(body_of("ContactCreated", id=31))
    post(body_of("ContactDeleted", id=31))
    post(b"not an event")


def post_hostile_deliveries():
    from django_altoviz.event_types import EventType
    from django_altoviz.samples import sample
    from tests.browser.apps import TRAP
    from tests.conftest import body_of

    line = sample(EventType.INVOICE_UPDATED).data["lines"][1]
    party = {"name": EVIL, "number": EVIL, "email": EVIL, "companyName": EVIL, "displayName": EVIL}
    document = {
        "number": EVIL,
        "subject": EVIL,
        "customerName": EVIL,
        "headerNotes": EVIL,
        "publicLink": f"https://x.example/{EVIL}",
        "pdfUrl": "javascript:alert(3)",
        "lines": [line | {"description": EVIL, "type": EVIL, "unit": {"code": EVIL}}] * 3,
    }
    for name in ("Contact", "Customer", "Product"):
        post(body_of(f"{name}Updated", id=66, **party, description=EVIL), **{"User-Agent": EVIL})
    post(
        body_of("QuoteUpdated", id=66, **document | {"status": EVIL, "publicLink": "javascript:x"})
    )
    TRAP.touch()
    post(body_of("InvoiceUpdated", id=66, **document))
    TRAP.unlink()
    post(EVIL.encode())
    post(
        f'{{"id": "evt_é", "type": "<i>", "data": {{"id": 7, "<b>": {"[" * 40}{"]" * 40}}}}}'.encode()
    )
    post(b'{"id": "<u>", "type": "<script>", "data": {"id": 1}}')


def add_hostile_rows():
    from django_altoviz.models import Rejection, SyncRun, WebhookEvent

    last, before = WebhookEvent.objects.order_by("-pk")[:2]
    last.changes = {EVIL: [EVIL, EVIL], "number": [EVIL, None]}
    last.arrival = {EVIL: EVIL}
    last.error = f"Traceback\n{EVIL}"
    last.history = [{"at": "2026-11-25T10:00:00Z", "status": EVIL, "error": EVIL}]
    last.save()
    # As a later version may have left it.
    before.status, before.source, before.entity = "<b>new</b>", "<b>new</b>", "<b>new</b>"
    before.business_signals = [EVIL]
    before.save()
    sync = {"account": "default", "is_import": False, "as_of": 0}
    ended = {"finished_at": last.received_at, "error": EVIL}
    SyncRun.objects.create(entity="invoice", **sync, **ended)
    SyncRun.objects.create(entity="customer", **sync)
    SyncRun.objects.create(entity="<b>new</b>", **sync)
    Rejection.objects.create(
        account="default",
        day=last.received_at.date(),
        answer=EVIL[:32],
        status_code=401,
        deliveries=3,
        last_at=last.received_at,
    )


if __name__ == "__main__":
    django.setup()
    fill()

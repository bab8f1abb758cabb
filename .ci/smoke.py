"""Checks of a project that has only the wheel. ``.ci/smoke-wheel`` feeds them to ``manage.py shell``."""

from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.template.loader import get_template
from django.test import Client
from django.utils.translation import gettext, override

import django_altoviz
from django_altoviz.event_types import EventType
from django_altoviz.intake.signing import sign
from django_altoviz.models import Status, WebhookEvent
from django_altoviz.samples import sample_body

package = Path(django_altoviz.__file__).parent
assert "site-packages" in package.parts, package
assert (package / "py.typed").exists()
with override("fr"):
    assert gettext("invoice created") == "facture créée", gettext("invoice created")
for template in (package / "templates").rglob("*.html"):
    get_template(str(template.relative_to(package / "templates")))
for event_type in EventType:
    body = sample_body(event_type)
    signature = sign(body, settings.ALTOVIZ["WEBHOOK_SECRET"])
    answer = Client().post("/altoviz/webhook/", body, "text/plain", HTTP_X_SIGNATURE=signature)
    assert answer.status_code == 200, answer.content
assert WebhookEvent.objects.filter(status=Status.PROCESSED).count() == 15
staff = Client()
staff.force_login(User.objects.create_superuser("staff"))
for model in ("webhookevent", "customer", "contact", "product", "invoice", "quote"):
    assert staff.get(f"/admin/django_altoviz/{model}/").status_code == 200, model
print(f"The wheel of {django_altoviz.__version__} works.")

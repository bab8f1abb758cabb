import pytest
from django_altoviz.event_types import EventType
from django_altoviz.models import *


@pytest.mark.django_db
@pytest.mark.parametrize("t", EventType)
def test_all(post, t):
    r = post(t)
    assert r.status_code == 200, r.content
    e = WebhookEvent.objects.get()
    assert e.status == "processed", e.error
    print(r.content, e, e.changes, e.history)

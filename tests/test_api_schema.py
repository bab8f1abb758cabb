"""The description of the REST API in OpenAPI is complete, and every answer is as it says."""

from __future__ import annotations

import runpy
import sys
from unittest import mock

import pytest
import requests
import schemathesis
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from rest_framework.routers import SimpleRouter
from rest_framework.settings import api_settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from django_altoviz.api import schema as schema_module
from django_altoviz.api.views import CustomerViewSet
from tests.conftest import body_of

pytestmark = pytest.mark.django_db(transaction=True)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_the_description_is_complete(tmp_path):
    file = tmp_path / "schema.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    text = file.read_text()
    for name in ("/invoices/{key}/", "expand", "synced_after", "next_after", "'409'"):
        assert name in text


DESCRIPTION = SchemaGenerator().get_schema(request=None, public=True)
schema = schemathesis.openapi.from_dict(DESCRIPTION)


@pytest.fixture
def session(post, samples):
    """Return the header of a superuser's session, after objects of each kind came in."""
    post(body_of("InvoiceUpdated", id=7, balance=0, customerId=None, lines=None))
    post(b"nonsense")
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return {"Cookie": f"{settings.SESSION_COOKIE_NAME}={client.session.session_key}"}


@schema.parametrize()
@hypothesis_settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[*HealthCheck],
)
def test_every_answer_is_as_described(session, live_server, case):
    """Call the safe methods, and the action without a CSRF token, which is refused."""
    response = case.call_and_validate(base_url=live_server.url, headers=session, checks=CHECKS)
    if case.method == "GET" and not case.query and not case.path_parameters:
        assert response.status_code == 200  # the session counts


def test_the_session_of_these_tests_reaches_the_views(session, live_server):
    paths = [path for path in DESCRIPTION["paths"] if "{" not in path]
    assert len(paths) == 9
    for path in paths:
        assert requests.get(live_server.url + path, headers=session).status_code == 200


def test_the_api_needs_no_description():
    """The views have the default schema of Django REST framework without drf-spectacular."""
    without = {"drf_spectacular": None, "drf_spectacular.openapi": None}
    with mock.patch.dict(sys.modules, without):
        names = runpy.run_path(schema_module.__file__)
    assert names["DescribedSchema"] is api_settings.DEFAULT_SCHEMA_CLASS


def test_a_view_that_a_project_excludes_is_not_described():
    @extend_schema(exclude=True)
    class Hidden(CustomerViewSet):
        pass

    router = SimpleRouter()
    router.register("hidden", Hidden)
    generator = SchemaGenerator(patterns=router.urls)
    assert generator.get_schema(request=None, public=True)["paths"] == {}

"""The API's description in OpenAPI is complete, and every answer is as it says."""

from __future__ import annotations

import pytest
from django.core.management import call_command

spectacular = pytest.importorskip("drf_spectacular")



def test_the_description_has_no_warning(tmp_path, capsys):
    file = tmp_path / "schema.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(file))
    text = file.read_text()
    for name in ("/invoices/{key}/", "expand", "synced_after", "next_after", "'409'"):
        assert name in text

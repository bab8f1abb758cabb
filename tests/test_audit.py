"""The audit of the requirements: what it makes of pip-audit's report."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "vulnerabilities.py"
SOUND = {"name": "requests", "version": "2.34.2", "vulns": []}
WEAK = {
    "name": "django",
    "version": "5.2.1",
    "vulns": [{"id": "CVE-2025-48432", "fix_versions": ["5.2.3"]}],
}
UNKNOWN = {"name": "sqlparse", "skip_reason": "Dependency not found on PyPI: sqlparse (0.6.1)"}
OWN = {"name": "django-altoviz", "skip_reason": "Dependency not found on PyPI: django-altoviz"}


def verdict(*packages, output=None, errors=""):
    spec = importlib.util.spec_from_file_location("vulnerabilities", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script.verdict(output or json.dumps({"dependencies": packages}), errors)


def test_a_known_vulnerability_fails_and_is_named():
    is_good, told = verdict(SOUND, WEAK, OWN)
    assert not is_good
    assert "django 5.2.1: CVE-2025-48432, fixed in ['5.2.3']" in told


def test_no_known_vulnerability_passes():
    assert verdict(SOUND, OWN) == (True, "1 packages, 0 known vulnerabilities")


def test_a_package_that_the_service_does_not_know_is_named():
    is_good, told = verdict(SOUND, UNKNOWN, OWN)
    assert is_good
    assert "not audited: Dependency not found on PyPI: sqlparse (0.6.1)" in told


@pytest.mark.parametrize(
    "error",
    [
        "requests.exceptions.ConnectionError: Failed to resolve 'vulnerabilities.example'",
        "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed",
        "ERROR:pip_audit._cli:503 Server Error: Service Unavailable for url: https://packages.example",
    ],
)
def test_a_service_that_can_not_be_reached_is_said_and_does_not_fail(error):
    is_good, told = verdict(output="not JSON", errors=f"Traceback\n{error}\n")
    assert is_good
    assert told.startswith("skipped: no vulnerability service")
    assert error in told


def test_a_mirror_that_knows_no_package_is_no_service():
    is_good, told = verdict(UNKNOWN, OWN)
    assert is_good
    assert told == "skipped: no vulnerability service (it knows none of 1 packages)"


def test_any_other_fault_of_pip_audit_fails():
    assert verdict(output="not JSON", errors="TypeError: oops") == (False, "TypeError: oops")

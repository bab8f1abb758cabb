"""The versions that the app asks for, and those that it is tested with."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOWEST = ROOT / ".ci" / "lowest.txt"


def metadata():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup


def lower_bounds():
    """Return the lower bound of each package in setup.cfg. The tests' own packages may have none."""
    setup = metadata()
    lines = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    found = re.findall(r"^([\w-]+)(?:\[\w+\])?>=([\d.]+)", "\n".join(lines), re.MULTILINE)
    bounds = dict(found)
    assert len({*found}) == len(bounds), "two bounds for one package"
    return bounds


@pytest.mark.skipif(not LOWEST.exists(), reason="not in a checkout")
def test_ci_runs_the_tests_with_exactly_the_lower_bounds():
    assert dict(re.findall(r"^([\w-]+)==([\d.]+)$", LOWEST.read_text(), re.MULTILINE)) == (
        lower_bounds()
    )
    assert "-lowest-" in (ROOT / ".ci" / "run").read_text()


def test_tox_runs_exactly_the_versions_that_the_package_names():
    classifiers = metadata()["metadata"]["classifiers"]
    pythons = re.findall(r"Programming Language :: Python :: 3\.(\d+)$", classifiers, re.MULTILINE)
    djangos = re.findall(r"Framework :: Django :: (\d\.\d)$", classifiers, re.MULTILINE)
    tox = (ROOT / "tox.ini").read_text()
    environments = tox.partition("env_list =")[2].partition("\n\n")[0]
    assert {*re.findall(r"\b3(\d\d)\b", environments)} == {*pythons}
    assert re.findall(r"django\d+: django~=([\d.]+)\.0\n", tox) == djangos
    for version in djangos:
        digits = version.replace(".", "")
        assert re.search(rf"django(\{{[\d,]*)?{digits}\b", environments), version

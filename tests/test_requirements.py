"""The versions that the app asks for, and those that it is tested with."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOWEST = ROOT / ".ci" / "lowest.txt"


def lower_bounds():
    """Return the lower bound of each package in setup.cfg. The tests' own packages may have none."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
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

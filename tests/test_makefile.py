"""The targets of the Makefile and the pages that name them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TARGETS = {*re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)}
NAMED = re.compile(r"\bmake ([a-z]+(?: [a-z]+)*)(?= *(?:[A-Z]+=|[`\"#\n]))")


def named_in(text):
    """Return the targets in ``make lint types`` and the like."""
    return {target for targets in NAMED.findall(text) for target in targets.split()}


def test_contributing_explains_each_target():
    documented = named_in((ROOT / "CONTRIBUTING.rst").read_text())
    assert TARGETS - documented == {"help", "run", "clean"}  # the README has the second


def test_each_command_in_a_page_or_in_ci_is_a_target():
    pages = [*ROOT.glob("*.rst"), *(ROOT / "docs").glob("*.rst"), ROOT / ".ci" / "run"]
    for page in pages:
        code = re.findall(r"``make[^`]*``|^ *make .*$", page.read_text(), re.MULTILINE)
        assert named_in("\n".join([*code, ""])) <= TARGETS, page

"""Sphinx's configuration. ``make docs`` builds the pages of the whole repository from its top.

The pages are plain reStructuredText, so that a code host shows them as they are. What Sphinx needs
beyond that is added while it reads them: the tree of pages, and the targets of their links.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.util import logging

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import django_altoviz  # noqa: E402

project = "django-altoviz"
author = "The django-altoviz developers"
copyright = author
version = release = django_altoviz.__version__

root_doc = "docs/index"
include_patterns = ["*.rst", "docs/*.rst", "docs/*/*.rst", "example_project/README.rst"]
exclude_patterns = [".*", "docs/_build", "**/node_modules", "build", "dist", "benchmarks"]

html_theme = "furo"
html_title = f"django-altoviz {version}"
html_copy_source = False

_LINK = re.compile(r"`([^`<]+) <([^>\s]+\.rst)>`_")
_log = logging.getLogger(__name__)


class NoContents(Directive):
    """Leave out a page's own table of contents, which the theme shows beside the page."""

    has_content = True
    option_spec = {"local": lambda text: text, "depth": int}

    def run(self) -> list[nodes.Node]:
        return []


def add_toctrees(app: Sphinx, docname: str, source: list[str]) -> None:
    """Make a hidden tree of pages of each section of the index, from the links in it."""
    if docname != root_doc:
        return
    _, *titles_and_texts = re.split(r"^(\S.*)\n=+\n", source[0], flags=re.MULTILINE)
    for title, text in zip(titles_and_texts[::2], titles_and_texts[1::2], strict=True):
        if links := _LINK.findall(text):
            entries = "".join(f"   {name} </{page_of(docname, to)}>\n" for name, to in links)
            source[0] += f"\n.. toctree::\n   :hidden:\n   :caption: {title}\n\n{entries}"


def page_of(docname: str, target: str) -> str:
    """Return Sphinx's name of the page that a relative link leads to."""
    path = (ROOT / docname).parent / target
    return path.resolve().relative_to(ROOT).with_suffix("").as_posix()


def resolve_links(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Lead each relative link to the built page. Sphinx has no page of other files: unlink these."""
    for link in [*doctree.findall(nodes.reference)]:
        target, _, fragment = link.get("refuri", "").partition("#")
        if not target or re.match(r"[a-z]+:", target):
            continue
        if not target.endswith(".rst"):
            link.replace_self(link.children)
            continue
        page = page_of(docname, target)
        if page not in app.env.found_docs:
            _log.warning("no page for the link to %s", target, location=link)
        elif fragment and fragment not in app.env.get_doctree(page).ids:
            _log.warning("no heading for the link to %s#%s", target, fragment, location=link)
        else:
            address = app.builder.get_relative_uri(docname, page)
            link["refuri"] = f"{address}#{fragment}" if fragment else address
            link["internal"] = True


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("contents", NoContents, override=True)
    app.connect("source-read", add_toctrees)
    app.connect("doctree-resolved", resolve_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Visits to all pages of the admin: each is found by a link, as a reader finds it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"width": 400, "height": 800}
DESK = {"width": 1280, "height": 900}
#: Runs in each page before its own scripts, and is not subject to its policy.
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
    (event) => violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""
#: Returns what is wider than the screen, and the scrolling regions that no key or name reaches.
LAYOUT = """() => {
    const root = document.documentElement;
    const wide = root.scrollWidth <= root.clientWidth ? [] :
        [...document.querySelectorAll("body *")]
            .filter((element) => element.getBoundingClientRect().right > root.clientWidth + 1
                && !element.closest('[role="region"]'))
            .map((element) => `${element.tagName} ${element.className}`).slice(-3);
    const dumb = [...document.querySelectorAll("main *")].filter((element) => {
        const scrolls = ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
        // Django's own is the list of results.
        return scrolls && !element.matches(".results") && element.scrollWidth > element.clientWidth && element.clientWidth && !(
            element.tabIndex === 0 && element.role === "region" && element.ariaLabel);
    }).map((element) => `${element.tagName} ${element.id} ${element.className}`);
    return [wide, dumb];
}"""
RUN_AXE = """async (rules) => (await axe.run(
        {exclude: [".breadcrumbs", "#searchbar"]},  // Django's own
        {resultTypes: ["violations"], preload: false, ...rules},
    )).violations
    .filter((found) => ["serious", "critical"].includes(found.impact))
    .flatMap((found) => found.nodes.map((node) => `${found.id}: ${node.html.slice(0, 200)}`))"""
#: The pages of one kind that are visited at most.
MOST = 7
#: Returns the paths of the pages of ours that the page links to. A body is no page, but a download.
LINKS = r"""() => [...document.links]
    .filter((link) => link.origin === location.origin
        && link.pathname.match(/^\/admin\/(django_altoviz\/(?!.*\/body\/).*)?$/))
    .map((link) => link.pathname + link.search)"""


@dataclass
class Visit:
    """A page, with all that a browser found wrong with it."""

    path: str
    text: str
    violations: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    too_wide: list[str] = field(default_factory=list)
    mute_regions: list[str] = field(default_factory=list)
    inaccessible: list[str] = field(default_factory=list)

    @property
    def problems(self):
        return {
            name: found for name, found in vars(self).items() if isinstance(found, list) and found
        }


def kind_of(path):
    """Return what the page has in common with pages that differ in the row or the filter only."""
    kind = re.sub(r"/[^/]*\d[^/]*/", "/*/", path.partition("?")[0])
    return f"{kind}?" if "?" in path and "_to_field=" not in path else kind


def visit(page, look, complaints=()):
    """Look at the page that is open, after what has been complained about it."""
    visited = Visit(
        urlsplit(page.url)._replace(scheme="", netloc="").geturl(), page.inner_text("body")
    )
    visited.violations = page.evaluate("() => violations")
    visited.complaints = [*complaints]
    look(page, visited)
    return visited


def visit_all(page, look, most=MOST):
    """Visit each page that a link leads to, from the admin's index on, and look at it."""
    waiting, known, kinds, visits = ["/admin/"], {"/admin/"}, Counter(), []
    complaints = []
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    while waiting:
        path = waiting.pop(0)
        complaints.clear()
        response = page.goto(path)
        if response.status != 200:
            complaints.append(f"{response.status}")
        # Filters can be combined without end.
        for to in page.evaluate(LINKS) if "?" not in path else []:
            kind = kind_of(to)
            if to not in known and kinds[kind] < (1 if "?" in kind else most):
                known.add(to)
                kinds[kind] += 1
                waiting.append(to)
        visits.append(visit(page, look, complaints))
    return visits


def look_closely(page, visited):
    """Look at the page on a desk and on a phone, in light and in dark, and have it judged."""
    visited.inaccessible = page.evaluate(RUN_AXE, {})
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("() => !document.getAnimations().length")  # links fade to their colour
    visited.inaccessible += [
        f"dark: {found}" for found in page.evaluate(RUN_AXE, {"runOnly": ["color-contrast"]})
    ]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    visited.too_wide, visited.mute_regions = page.evaluate(LAYOUT)
    page.set_viewport_size(DESK)

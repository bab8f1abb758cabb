"""A real browser, and the project that it visits, which runs in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from django_altoviz.testing import FakeAltoviz
from tests.browser.content import PASSWORD
from tests.browser.visits import AXE, WATCH
from tests.chaos.servers import free_port, wait_for_port
from tests.processes import Process, run

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WEBHOOK_URL = "https://shop.example/altoviz/webhook/"
HOW = "make browser installs all that the browser tests need"


def skip(reason):
    """Skip the test, or fail it if ``BROWSER=required`` says that nothing may be skipped."""
    message = f"{reason}: {HOW}"
    pytest.fail(message) if os.environ.get("BROWSER") == "required" else pytest.skip(message)


@pytest.fixture(scope="session")
def chromium():
    """Return a running Chromium that Debian's package has installed."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip("Playwright is not installed")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        skip("there is no Chromium")
    if not AXE.exists():
        skip("axe-core is not installed")
    with sync_playwright() as playwright:
        # Chromium's sandbox refuses to run as root, as which CI runs.
        options = {"executable_path": executable, "args": ["--no-sandbox"]}
        with contextlib.closing(playwright.chromium.launch(**options)) as browser:
            yield browser


class Site:
    """The project that a browser visits, and the fake Altoviz that it asks.

    ``trap`` is the file that lets its receiver fail.
    """

    def __init__(self, url, directory, altoviz):
        self.url, self.trap, self.altoviz = url, directory / "trap", altoviz


@contextlib.contextmanager
def served(directory, theme="", altoviz=None):
    """Fill a database, serve the project with it, and yield the site."""
    values = {**altoviz.settings, "WEBHOOK_URL": WEBHOOK_URL} if altoviz else {}
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.browser.settings",
        "BROWSER_DATABASE": str(directory / "browser.sqlite3"),
        "BROWSER_TRAP": str(directory / "trap"),
        "BROWSER_THEME": theme,
        "BROWSER_ALTOVIZ": json.dumps(values),
        "DATABASE": "sqlite",
    }
    filling = [sys.executable, "-m", "tests.browser.content"]
    done = run(filling, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    port = free_port()
    command = [sys.executable, "-m", "django", "runserver", f"127.0.0.1:{port}"]
    with open(directory / "server.log", "w") as log:
        with Process(
            [*command, "--noreload", "--insecure", "--skip-checks"],
            env=environment,
            cwd=ROOT,
            stdout=log,
            stderr=log,
        ):
            wait_for_port(port)
            yield Site(f"http://127.0.0.1:{port}", directory, altoviz)


@pytest.fixture(scope="session")
def site(chromium, tmp_path_factory):
    with FakeAltoviz() as altoviz:
        altoviz.behave(list_lag=())
        with served(tmp_path_factory.mktemp("site"), altoviz=altoviz) as site:
            yield site


@contextlib.contextmanager
def browsing(chromium, site, user="admin", **options):
    """Log a user in, and yield the page of a browser, as large as a desk's."""
    options = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"} | options
    with contextlib.closing(chromium.new_context(base_url=site.url, **options)) as context:
        context.set_default_timeout(20_000)
        context.add_init_script(WATCH)
        page = context.new_page()
        page.goto("/admin/")
        page.fill("[name=username]", user)
        page.fill("[name=password]", PASSWORD)
        page.click("[type=submit]")
        yield page


@pytest.fixture
def page(chromium, site):
    """The page of a browser in which the superuser is logged in."""
    with browsing(chromium, site) as page:
        yield page

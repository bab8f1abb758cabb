"""Pictures of all pages of the admin: in light, in dark, on a phone, and in French.

``python -m tests.browser.screenshots DIRECTORY`` takes them.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.conftest import BROWSERS, browsing, served
from tests.browser.visits import PHONE, visit_all

#: The options of a browser, by the name of its pictures.
LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": PHONE},
    "french": {"locale": "fr-FR"},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        sys.exit("There is no Chromium.")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as project:
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        with served(Path(project)) as site:
            for look, options in LOOKS.items():
                with browsing(chromium, site, **options) as page:
                    visit_all(page, camera(directory / look), most=30)
        chromium.close()


def camera(directory):
    """Return a function that takes a picture of a page, and names the file after its path."""
    directory.mkdir(parents=True, exist_ok=True)

    def take(page, visited):
        name = re.sub(r"\W+", "-", visited.path.removeprefix("/admin/")).strip("-") or "index"
        page.screenshot(path=directory / f"{name[:150]}.png", full_page=True)

    return take


if __name__ == "__main__":
    main()

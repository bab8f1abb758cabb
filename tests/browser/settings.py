"""Settings of the project that the browser visits, with a theme of the admin or Django's own."""

from __future__ import annotations

import json
import os

from tests.browser.themes import THEMES
from tests.settings import *  # noqa: F403
from tests.settings import ALTOVIZ, DATABASES, INSTALLED_APPS, MIDDLEWARE

THEME = os.environ.get("BROWSER_THEME", "")

DATABASES = {"default": DATABASES["default"] | {"NAME": os.environ["BROWSER_DATABASE"]}}
INSTALLED_APPS = [*THEMES.get(THEME, []), *INSTALLED_APPS, "tests.browser.apps.BrowserConfig"]
ROOT_URLCONF = "tests.browser.urls"
X_FRAME_OPTIONS = "SAMEORIGIN"  # as django-admin-interface demands
if not THEME:  # the themes need inline scripts
    MIDDLEWARE = ["tests.browser.csp.strict", *MIDDLEWARE]
ALTOVIZ = ALTOVIZ | {"API_KEY": "key-of-the-browser-tests"}
ALTOVIZ |= json.loads(os.environ.get("BROWSER_ALTOVIZ", "{}"))

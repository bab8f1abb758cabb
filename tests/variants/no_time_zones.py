"""The project does not use time zones."""

from __future__ import annotations

from tests.settings import *  # noqa: F403

USE_TZ = False

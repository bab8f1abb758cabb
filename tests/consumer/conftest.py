from __future__ import annotations

pytest_plugins = ["django_altoviz.pytest_plugin"]

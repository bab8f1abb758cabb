"""The themes of the admin that the pages are shown in, beside Django's own."""

from __future__ import annotations

#: The apps of each theme, which stand before Django's admin.
THEMES = {
    "jazzmin": ["jazzmin"],
    "unfold": ["unfold"],
    "grappelli": ["grappelli"],
    "admin_interface": ["admin_interface", "colorfield"],
}

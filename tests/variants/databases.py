"""Settings of databases beside the default one."""

from __future__ import annotations


def sibling_database(database, name):
    """Return the settings of another database on the same server."""
    name = f"{database['NAME']}_{name}"
    test = database.get("TEST", {})
    return database | {"NAME": name, "TEST": test | ({"NAME": name} if "NAME" in test else {})}

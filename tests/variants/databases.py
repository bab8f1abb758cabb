from __future__ import annotations


def beside(database, name):
    """Another database of the same kind."""
    name = f"{database['NAME']}_{name}"
    test = database.get("TEST", {})
    return database | {"NAME": name, "TEST": test | ({"NAME": name} if "NAME" in test else {})}

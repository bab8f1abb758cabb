"""Imports go one way only, so that each module can be read knowing nothing of those above it."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import django_altoviz

PACKAGE = Path(django_altoviz.__file__).parent
#: From the top down. Modules of one row do not know each other, unless they are one package.
LAYERS = [
    {"apps", "urls", "pytest_plugin"},
    {"views", "admin", "api", "management"},
    {"doctor"},
    {"checks"},
    {"dispatchers", "overview"},
    {"registration", "sync", "testing"},
    {"processing", "retention", "privacy", "health"},
    {"masking", "rejections"},
    {"models", "signals", "samples", "client"},
    {"intake"},
    {"exact_json", "conf", "days", "event_types", "log", "spellings", "transactions"},
    {"exceptions"},
]
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if "migrations" not in path.parts]


def level(module):
    return next(index for index, row in enumerate(LAYERS) if module in row)


def module_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """The package's own modules that a file imports anywhere in it, also inside of functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "django_altoviz":
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                names = [node.module]
        for name in names:
            if name.startswith("django_altoviz."):
                yield name.split(".")[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downwards(path):
    module = module_of(path)
    if module == "__init__":
        assert not list(imported(path))
        return
    for other in imported(path):
        below = level(other) > level(module)
        assert below or other == module or (module, other) == ("apps", "checks")


def dotted_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def graph_of(modules):
    """Return the modules that each module imports, by name; ``modules`` maps names to source code.

    Imports inside functions and under ``TYPE_CHECKING`` count: a reader has to follow them, too.
    """
    graph = {}
    for module, source in modules.items():
        names = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                members = {f"{node.module}.{alias.name}" for alias in node.names}
                # "from package import module" imports the module, else a name from the package.
                names |= {name if name in modules else node.module for name in members}
        graph[module] = names & modules.keys()
    return graph


def in_cycles(graph):
    """Return the modules that import themselves, directly or through others."""

    def reachable(start):
        found, left = set(), [*graph[start]]
        while left:
            module = left.pop()
            if module not in found:
                found.add(module)
                left += graph[module]
        return found

    return sorted(module for module in graph if module in reachable(module))


def test_no_module_takes_part_in_an_import_cycle():
    assert in_cycles(graph_of({dotted_name(path): path.read_text() for path in FILES})) == []


def test_the_rule_notices_a_cycle():
    typing_only = "if TYPE_CHECKING:\n    from package.a import A"
    modules = {"package": "", "package.a": "from package import b", "package.b": typing_only}
    assert in_cycles(graph_of(modules)) == ["package.a", "package.b"]
    assert in_cycles(graph_of(modules | {"package.b": "from package import B"})) == []


def test_every_module_has_its_layer():
    modules = {module_of(path) for path in FILES} - {"__init__"}
    assert modules == set().union(*LAYERS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_are_short(path):
    assert path.read_text().count("\n") <= 300
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno <= 40, node.name


def test_no_module_for_odds_and_ends():
    odds = {"utils", "helpers", "services", "common", "constants", "enums", "managers"}
    assert not odds & {path.stem for path in FILES}


#: What every dispatcher offers, and what every command is called.
INTERFACES = {
    *("dispatch", "enqueue_sync", "process_event", "process_due", "sync_account"),
    *("go_round", "answer_round", "watch_account"),
    *("Command", "__all__", "app_name", "urlpatterns"),
}


def test_each_name_at_module_level_stands_for_one_thing():
    """Two functions of one name send a reader who searches for it to the wrong one."""
    places = defaultdict(set)
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            for name in names_defined_by(node):
                places[name].add(str(path.relative_to(PACKAGE)))
    doubled = {name: found for name, found in places.items() if len(found) > 1}
    assert doubled.keys() <= INTERFACES, doubled


def names_defined_by(node):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return [target.id for target in targets if isinstance(target, ast.Name)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_query_opens_a_server_side_cursor(path):
    """A pool that gives each transaction another connection loses the cursor."""
    called = [
        node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
    ]
    assert not [
        func for func in called if isinstance(func, ast.Attribute) and func.attr == "iterator"
    ]

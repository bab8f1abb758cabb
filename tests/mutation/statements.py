"""Mutations of statements: they are deleted, their conditions negated, their contexts dropped."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.mutation.places import Edit, Places

_NO_CONTEXT = '__import__("contextlib").nullcontext()'


def mutate_statement(node: ast.AST, places: Places) -> Iterator[Edit]:
    """Yield the mutations of a statement, or of the head of an ``except``."""
    deleted = [node] if _can_be_deleted(node) else []
    if isinstance(node, ast.FunctionDef):
        deleted += _reassignments(node)
    for each in deleted:
        yield places.replace("statement deleted", each, "pass")
    if isinstance(node, ast.If):
        yield places.replace("negated", node.test, f"not ({places.text(node.test)})")
    elif isinstance(node, ast.Return) and not _is_false(node.value):
        yield places.replace("returns None", node, "return None")
    elif isinstance(node, ast.With):
        for item in node.items:
            yield places.replace("with dropped", item.context_expr, _NO_CONTEXT)
    elif isinstance(node, ast.ExceptHandler) and _is_narrow(node.type):
        yield places.replace("other exceptions", node.type, "Exception")


def _can_be_deleted(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        return isinstance(node.targets[0], (ast.Attribute, ast.Subscript))
    if isinstance(node, ast.Return):
        return node.value is None
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    return isinstance(node, (ast.AugAssign, ast.Delete, ast.Raise, ast.Continue, ast.Break))


def _is_narrow(type: ast.expr | None) -> bool:
    return type is not None and not (isinstance(type, ast.Name) and type.id == "Exception")


def _is_false(value: ast.expr | None) -> bool:
    """Return True for what a caller can't tell from ``None``, as far as it asks for the truth."""
    return value is None or (isinstance(value, ast.Constant) and not value.value)


def _reassignments(function: ast.FunctionDef) -> Iterator[ast.Assign]:
    """Yield the assignments to names that have a value before."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    known = {each.arg for each in arguments}
    assignments = [each for each in ast.walk(function) if isinstance(each, ast.Assign)]
    for each in sorted(assignments, key=lambda each: each.lineno):
        names = {name.id for name in ast.walk(each.targets[0]) if isinstance(name, ast.Name)}
        if isinstance(each.targets[0], ast.Name) and names <= known:
            yield each
        known |= names

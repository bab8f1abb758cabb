"""Mutations of expressions: comparisons, operands, constants, links, keywords, items, branches."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.mutation.places import Edit, Places

#: Methods of querysets and texts that return the same kind of object, so that the link can be dropped.
LINKS = {
    *("using", "filter", "exclude", "order_by", "distinct", "annotate", "alias", "select_related"),
    *(
        "for_write",
        "due",
        "unsettled",
        "of_object",
        "without_set_aside",
        "lease_expired",
        "as_read",
    ),
    *("strip", "lstrip", "rstrip", "lower", "upper", "casefold", "replace"),
    *("removeprefix", "removesuffix", "translate"),
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
COMPARISONS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
ARITHMETIC = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}


def mutate_expression(node: ast.AST, places: Places) -> Iterator[Edit]:
    mutate = _MUTATIONS.get(type(node))
    return mutate(node, places) if mutate else iter(())


def _comparison(node: ast.Compare, places: Places) -> Iterator[Edit]:
    operands = [node.left, *node.comparators]
    for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
        old, new = COMPARISONS[type(operator)]
        yield places.replace_between("comparison", left, right, old, new)


def _arithmetic(node: ast.BinOp, places: Places) -> Iterator[Edit]:
    if type(node.op) in ARITHMETIC:
        old, new = ARITHMETIC[type(node.op)]
        yield places.replace_between("arithmetic", node.left, node.right, old, new)


def _operands(node: ast.BoolOp, places: Places) -> Iterator[Edit]:
    old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    texts = [f"({places.text(value)})" for value in node.values]
    yield places.replace("and/or", node, f"({f' {new} '.join(texts)})")
    for index in range(len(texts)):
        left = texts[:index] + texts[index + 1 :]
        yield places.replace("operand dropped", node, f"({f' {old} '.join(left)})")


def _unary(node: ast.UnaryOp, places: Places) -> Iterator[Edit]:
    if not isinstance(node.op, ast.Invert):
        name = "negated" if isinstance(node.op, ast.Not) else "arithmetic"
        yield places.replace(name, node, f"({places.text(node.operand)})")


def _constant(node: ast.Constant, places: Places) -> Iterator[Edit]:
    value = node.value
    if isinstance(value, bool):
        yield places.replace("constant", node, str(not value))
    elif isinstance(value, (int, float)):
        yield places.replace("constant", node, str(value + 1))
        yield places.replace("constant", node, f"({value - 1})")


def _branches(node: ast.IfExp, places: Places) -> Iterator[Edit]:
    for branch in (node.body, node.orelse):
        yield places.replace("branch", node, f"({places.text(branch)})")


def _call(node: ast.Call, places: Places) -> Iterator[Edit]:
    func = node.func
    if isinstance(func, ast.Name) and func.id in CALLS:
        yield places.replace("function", func, CALLS[func.id])
    if isinstance(func, ast.Attribute) and func.attr in LINKS:
        start, end = places.of(node)
        dot = places.source.rfind(b".", start, places.of(func)[1])
        yield Edit("link dropped", dot, end, "")
    arguments = sorted(
        [*node.args, *node.keywords], key=lambda each: (each.lineno, each.col_offset)
    )
    items = [places.of(each) for each in arguments]
    for index, each in enumerate(arguments):
        if isinstance(each, ast.keyword) and each.arg:
            yield places.drop_item("keyword dropped", items, index)


def _items(node: ast.Tuple | ast.List | ast.Set, places: Places) -> Iterator[Edit]:
    if not isinstance(node, ast.Set) and not isinstance(node.ctx, ast.Load):
        return
    items = [places.of(each) for each in node.elts]
    for index in range(len(items)):
        if len(items) == 1 and isinstance(node, ast.List):
            yield places.replace("item dropped", node, "[]")
        elif len(items) > 1:
            yield places.drop_item("item dropped", items, index)


def _entries(node: ast.Dict, places: Places) -> Iterator[Edit]:
    items = []
    for key, value in zip(node.keys, node.values, strict=True):
        start, end = places.of(value)
        start = places.of(key)[0] if key else places.source.rfind(b"**", 0, start)
        items.append((start, end))
    for index in range(len(items)):
        yield places.drop_item("item dropped", items, index)


def _subscript(node: ast.Subscript, places: Places) -> Iterator[Edit]:
    if isinstance(node.slice, ast.Slice):
        yield Edit("slice", places.of(node.value)[1], places.of(node)[1], "")
        for bound in (node.slice.lower, node.slice.upper):
            if bound and node.slice.lower and node.slice.upper:
                yield places.replace("slice", bound, "")


def _comprehension(node: ast.comprehension, places: Places) -> Iterator[Edit]:
    for condition in node.ifs:
        yield places.replace("condition dropped", condition, "True")


_MUTATIONS = {
    ast.Compare: _comparison,
    ast.BinOp: _arithmetic,
    ast.BoolOp: _operands,
    ast.UnaryOp: _unary,
    ast.Constant: _constant,
    ast.IfExp: _branches,
    ast.Call: _call,
    ast.Tuple: _items,
    ast.List: _items,
    ast.Set: _items,
    ast.Dict: _entries,
    ast.Subscript: _subscript,
    ast.comprehension: _comprehension,
}

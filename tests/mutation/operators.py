"""The mutants of a module: small faults, each made by replacing a piece of its source.

Texts that people read, annotations, decorators and the schema of models are left alone.
"""

from __future__ import annotations

import ast
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.mutation.expressions import mutate_expression
from tests.mutation.places import Edit, Places
from tests.mutation.statements import mutate_statement

_LEFT_ALONE = {"annotation", "returns", "decorator_list", "bases", "type_params"}
_LOGGING = {"debug", "info", "warning", "error", "exception"}
_MAKES_FIELD = re.compile(r"models\..*|.*(Field|ForeignKey|mirror_key)$")


@dataclass(frozen=True)
class Mutant:
    """A fault in a module. ``before`` and ``after`` are the lines of the source that it touches.

    ``occurrence`` counts the mutants of a module that look the same. ``first`` and ``last`` are the
    lines of the statement: the tests that execute them may kill the mutant. ``names`` are what a
    statement outside of functions defines.
    """

    module: str
    operator: str
    before: str
    after: str
    occurrence: int
    line: int
    first: int
    last: int
    names: tuple[str, ...]
    source: bytes = field(repr=False)

    @property
    def key(self) -> str:
        return "\n".join(
            [self.module, self.operator, self.before, self.after, str(self.occurrence)]
        )


def mutants_of(module: str, source: bytes) -> list[Mutant]:
    """Return the mutants of a module in the order of its lines."""
    tree = ast.parse(source)
    places = Places(source)
    mutants: list[Mutant] = []
    seen: Counter[tuple[str, str, str]] = Counter()
    edits = {edit: None for node, texts in _nodes(tree) for edit in _edits(node, texts, places)}
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end, edit.text)):
        before = places.around(edit, source[edit.start : edit.end].decode())
        after = places.around(edit, edit.text)
        seen[edit.operator, before, after] += 1
        number = seen[edit.operator, before, after]
        line = places.line_of(edit.start)
        what = (edit.operator, before, after, number, line)
        mutants.append(Mutant(module, *what, *_statement_at(tree, line), places.apply(edit)))
    return mutants


def sample(mutants: list[Mutant], number: int, seed: str, original: bytes) -> list[Mutant]:
    """Return some of the mutants, of each operator about as many, the same ones for a seed."""
    tree = ast.dump(ast.parse(original))
    chance = random.Random(seed)
    by_operator = defaultdict(list)
    for mutant in mutants:
        by_operator[mutant.operator].append(mutant)
    chosen: list[Mutant] = []
    for group in by_operator.values():
        chance.shuffle(group)
    while len(chosen) < number and any(by_operator.values()):
        groups = [group for group in by_operator.values() if group]
        chance.shuffle(groups)
        chosen += [
            mutant for group in groups if _is_other_code((mutant := group.pop()).source, tree)
        ]
    return sorted(chosen[:number], key=lambda mutant: (mutant.line, mutant.after))


def _is_other_code(mutated: bytes, tree: str) -> bool:
    try:
        return ast.dump(ast.parse(mutated)) != tree
    except SyntaxError:
        return False


def _statement_at(tree: ast.Module, line: int) -> tuple[int, int, tuple[str, ...]]:
    """Return the lines of the innermost statement, and the names that it defines outside of functions.

    The lines of a compound statement are those of its head.
    """
    path = []
    body: list[ast.stmt] = tree.body
    while inner := [each for each in body if _first_line(each) <= line <= each.end_lineno]:
        path.append(inner[-1])
        blocks = [getattr(inner[-1], name, []) for name in ("body", "orelse", "finalbody")]
        blocks += [handler.body for handler in getattr(inner[-1], "handlers", [])]
        body = [each for block in blocks for each in block]
    last = path[-1]
    inside = any(isinstance(each, ast.FunctionDef) for each in path[:-1])
    names = () if inside else tuple(_names_of(last))
    has_head = isinstance(getattr(last, "body", None), list) and last.body
    end = max(last.lineno, last.body[0].lineno - 1) if has_head else last.end_lineno
    if line > end:  # the head of "except", behind the body
        return line, line, names
    return _first_line(last), end, names


def _first_line(statement: ast.stmt) -> int:
    return min(
        [statement.lineno, *(each.lineno for each in getattr(statement, "decorator_list", []))]
    )


def _names_of(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        yield statement.name
    else:
        stored = (each for each in ast.walk(statement) if isinstance(each, ast.Name))
        yield from (each.id for each in stored if isinstance(each.ctx, ast.Store))


def _edits(node: ast.AST, texts_count: bool, places: Places) -> Iterator[Edit]:
    yield from mutate_statement(node, places)
    yield from mutate_expression(node, places)
    if texts_count and isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield places.replace("text", node, '""' if node.value else '"x"')


def _nodes(tree: ast.Module) -> Iterator[tuple[ast.AST, bool]]:
    """Yield the nodes to mutate, each with True if a text there is no prose."""
    todo: list[tuple[ast.AST, bool, bool]] = [(each, True, False) for each in tree.body]
    while todo:
        node, texts_count, in_class = todo.pop()
        if _is_left_alone(node) or (in_class and _is_field(node)):
            continue
        yield node, texts_count
        texts_count = texts_count and not _is_for_people(node)
        for name, value in ast.iter_fields(node):
            children = value if isinstance(value, list) else [value]
            if name not in _LEFT_ALONE:
                in_class = isinstance(node, ast.ClassDef)
                todo += [
                    (each, texts_count, in_class) for each in children if isinstance(each, ast.AST)
                ]


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr)):
        return True  # before Python 3.12 the places inside an f-string are wrong
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.AnnAssign):
        return "TypeAlias" in ast.unparse(node.annotation)
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)


def _is_field(node: ast.AST) -> bool:
    """Return True for a model's field or options: the schema is the business of the migrations."""
    if isinstance(node, ast.ClassDef):
        return node.name == "Meta"
    value = getattr(node, "value", None)
    return isinstance(value, ast.Call) and bool(_MAKES_FIELD.match(ast.unparse(value.func)))


def _is_for_people(node: ast.AST) -> bool:
    """Return True for exceptions, log records and translated texts."""
    if isinstance(node, ast.Raise):
        return True
    func = node.func if isinstance(node, ast.Call) else None
    if isinstance(func, ast.Attribute):
        return func.attr in _LOGGING and "log" in ast.unparse(func.value)
    return isinstance(func, ast.Name) and func.id in {"_", "gettext", "ngettext", "cast"}

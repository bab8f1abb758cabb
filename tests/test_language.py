"""Docstrings begin like those of Django: with a verb in the imperative, or the noun for the thing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = [
    path
    for folder in ("django_altoviz", "example_project", "tests", "benchmarks", ".ci")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not {"migrations", "node_modules", ".venv"} & set(path.parts)
]
#: Words that begin a clause, not a sentence about a thing: the reader has to turn it around first.
CLAUSE_WORDS = {
    *("what", "whatever", "whether", "which", "who", "whoever", "whom", "whose", "why"),
    *("how", "when", "where", "wherever", "while", "as", "if", "because", "since", "unless"),
    *("of", "for", "from", "in", "into", "to", "by", "with", "without", "at", "on", "after"),
    *("before", "behind", "beside", "between", "among", "until", "under", "over", "about"),
    *("that", "this", "these", "those", "it", "its", "they", "them", "there", "one", "such"),
    *("is", "are", "was", "has", "have", "does", "can", "may", "also", "and", "but", "or", "so"),
}


def docstrings_in(source):
    """Yield the line and the text of each docstring."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            continue
        if text := ast.get_docstring(node):
            yield node.body[0].lineno, text


def clauses_in(source):
    return [
        f"line {line}: {text.splitlines()[0]}"
        for line, text in docstrings_in(source)
        if text.split()[0].strip(",.:;`").lower() in CLAUSE_WORDS
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_docstrings_begin_with_a_verb_or_a_noun(path):
    assert clauses_in(path.read_text()) == []


def test_the_rule_notices_a_clause():
    assert clauses_in('"""Whether it is due."""') == ["line 1: Whether it is due."]
    assert clauses_in('def due():\n    """Return True if it is due."""') == []

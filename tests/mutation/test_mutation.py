"""The script that measures how many faults the tests find finds faults itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.mutation import __main__ as script
from tests.mutation import trials
from tests.mutation.equivalent import EQUIVALENT, Entry, reason_of
from tests.mutation.operators import mutants_of, sample
from tests.mutation.trials import Outcome, Results, Trial, copied


def mutations(source):
    return {
        (each.operator, each.after) for each in mutants_of("package/module.py", source.encode())
    }


@pytest.mark.parametrize(
    ("source", "operator", "after"),
    [
        ("x = a < b", "comparison", "x = a <= b"),
        ("x = a is not None", "comparison", "x = a is None"),
        ("x = a and b", "and/or", "x = ((a) or (b))"),
        ("x = a and b", "operand dropped", "x = ((b))"),
        ("x = not a", "negated", "x = (a)"),
        ("x = a + 1", "arithmetic", "x = a - 1"),
        ("x = a + 1", "constant", "x = a + 2"),
        ("x = True", "constant", "x = False"),
        ("x = a if b else c", "branch", "x = (c)"),
        ("x = rows.using(a).filter(b)", "link dropped", "x = rows.filter(b)"),
        ("x = rows.using(a).filter(b)", "link dropped", "x = rows.using(a)"),
        ("f(a, b=1, c=2)", "keyword dropped", "f(a, c=2)"),
        ("f(a, b=1)", "keyword dropped", "f(a,)"),
        ("x = (a, b)", "item dropped", "x = (a,)"),
        ('x = {"a": 1, **b}', "item dropped", "x = {**b}"),
        ("x = a[1:2]", "slice", "x = a"),
        ("x = a[1:2]", "slice", "x = a[:2]"),
        ("x = [a for a in b if c]", "condition dropped", "x = [a for a in b if True]"),
        ("x = min(a, b)", "function", "x = max(a, b)"),
        ('x = a["key"]', "text", 'x = a[""]'),
        ("if a:\n    b()", "negated", "if not (a):"),
        ("if a:\n    b()", "statement deleted", "pass"),
        ("def f(a):\n    return a", "returns None", "return None"),
        ("def f(a):\n    a = b\n    return a", "statement deleted", "pass"),
        (
            "with atomic():\n    b()",
            "with dropped",
            'with __import__("contextlib").nullcontext():',
        ),
        ("try:\n    a()\nexcept B:\n    pass", "other exceptions", "except Exception:"),
    ],
)
def test_each_operator_makes_its_fault(source, operator, after):
    assert (operator, after) in mutations(source + "\n")


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "from a import b",
        "__all__ = ['a']",
        "if TYPE_CHECKING:\n    x = 1",
        "Name: TypeAlias = dict[str, 1]",
        "class Row(models.Model):\n    name = models.CharField(max_length=9)",
        "class Row(models.Model):\n    class Meta:\n        ordering = ['a', 'b']",
        "@dataclass(frozen=True)\nclass Row:\n    name: Literal['a']",
    ],
)
def test_schemas_annotations_and_texts_for_people_are_left_alone(source):
    assert mutations(source + "\n") == set()


def test_the_text_of_an_error_or_a_log_record_is_left_alone():
    source = 'raise Bad("text")\nlog.error("text", exc_info=a)\nx = _("text")\n'
    assert not [after for operator, after in mutations(source) if operator == "text"]
    assert ("keyword dropped", 'log.error("text",)') in mutations(source)


SOURCE = b"""\
LIMIT = 5


def is_short(text):
    '''Return True if the text is short.'''
    return len(text) < LIMIT
"""


def test_a_sample_is_the_same_for_a_seed_and_has_only_code_that_runs():
    mutants = mutants_of("package/module.py", SOURCE)
    chosen = sample(mutants, 3, "seed", SOURCE)
    assert chosen == sample(mutants, 3, "seed", SOURCE)
    assert len(chosen) == 3
    every = sample(mutants, 100, "seed", SOURCE)
    assert {each.key for each in every} == {each.key for each in mutants}
    for each in every:
        compile(each.source, "module.py", "exec")


def test_a_mutant_knows_the_lines_and_names_that_lead_to_its_tests():
    constant = next(each for each in mutants_of("m.py", SOURCE) if each.operator == "constant")
    assert (constant.line, constant.names) == (1, ("LIMIT",))
    inside = next(each for each in mutants_of("m.py", SOURCE) if each.operator == "comparison")
    assert (inside.first, inside.last, inside.names) == (6, 6, ())


@pytest.fixture
def project(tmp_path):
    """Return the copy of a project with one module and its tests, of which one is weak."""
    original = tmp_path / "original"
    (original / "package").mkdir(parents=True)
    (original / "package" / "__init__.py").touch()
    (original / "package" / "module.py").write_bytes(SOURCE)
    (original / "setup.cfg").write_text("[tool:pytest]\npythonpath = .\n")
    (original / "test_it.py").write_text(
        "from package.module import is_short\n"
        "def test_weak(): is_short('')\n"
        "def test_strong(): assert is_short('1234') and not is_short('12345')\n"
    )
    with copied(original) as copy:
        yield original, copy


def test_a_mutant_is_killed_by_a_test_that_fails_and_never_left_behind(project, monkeypatch):
    original, copy = project
    monkeypatch.setattr(
        trials, "OPTIONS", ["-q", "-rfE", "-p", "no:cacheprovider", "-p", "no:django"]
    )
    (mutant,) = (
        each for each in mutants_of("package/module.py", SOURCE) if each.operator == "comparison"
    )
    trial = Trial(copy)
    assert trial.outcome(mutant, ["test_it.py::test_weak"], 1) == Outcome("survived")
    killed = Outcome("killed", "test_it.py::test_strong")
    assert trial.outcome(mutant, ["test_it.py"], 1) == killed
    with pytest.raises(RuntimeError, match="without a mutant either"):
        trial.outcome(mutant, ["test_it.py::test_missing"], 1)
    for root in project:
        assert (root / "package" / "module.py").read_bytes() == SOURCE
    assert not copy.is_relative_to(original)


def test_results_are_kept_until_the_module_changes(tmp_path, monkeypatch):
    path = tmp_path / "results.jsonl"
    mutant, other = mutants_of("package/module.py", SOURCE)[:2]
    Results(path).add(mutant, Outcome("killed", "test_it.py::test_strong"), 0)
    assert Results(path).get(mutant) == Outcome("killed", "test_it.py::test_strong")
    assert Results(path).get(other) is None
    changed = mutants_of("package/module.py", SOURCE + b"\nx = y\n")[0]
    assert Results(path).get(changed) is None
    monkeypatch.setenv("DATABASE", "another")
    assert Results(path).get(mutant) is None
    assert json.loads(path.read_text())["before"] == mutant.before


def test_an_equivalent_mutant_is_known_by_its_source_text():
    mutant = mutants_of("package/module.py", SOURCE)[0]
    entry = Entry("module.py", mutant.before, mutant.after, "because", seen_on=("postgres",))
    assert entry.is_about(mutant)
    assert not Entry("module.py", mutant.before, "else", "because").is_about(mutant)
    assert not Entry("other.py", mutant.before, None, "because").is_about(mutant)
    assert reason_of(mutant, "sqlite") is None


@pytest.mark.parametrize("module", sorted({entry.module for entry in EQUIVALENT}))
def test_each_entry_of_the_list_is_a_mutant_of_today(module):
    """Otherwise the source has changed: look again whether the mutant is equivalent."""
    source = (Path(script.ROOT) / script.PACKAGE / module).read_bytes()
    mutants = mutants_of(f"{script.PACKAGE}/{module}", source)
    for entry in EQUIVALENT:
        if entry.module == module:
            assert any(entry.is_about(mutant) for mutant in mutants), entry.before
            assert entry.reason

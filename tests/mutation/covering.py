"""The tests that execute each line, recorded once in a run of the suite with coverage contexts."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from xml.etree import ElementTree

from coverage import CoverageData

from tests.mutation.operators import Mutant
from tests.processes import run

#: Tests that need another tool or server, run the demonstration or check the texts.
LEFT_OUT = [
    *("tests/benchmarks", "tests/browser", "tests/chaos", "tests/contract", "tests/fuzzing"),
    *("tests/mutation", "tests/servers", "tests/dispatchers/test_celery.py"),
    *("tests/dispatchers/test_deaths.py", "tests/test_api_schema.py", "tests/test_benchmarks.py"),
    *("tests/test_demo.py", "tests/test_docs.py", "tests/test_example_project.py"),
    *("tests/test_readme.py", "tests/test_requirements.py", "tests/test_translations.py"),
]

#: A query that has lost its database is noticed only in a project with several databases. These tests
#: run in processes of their own, so no line is recorded for them.
_WITH_OTHER_DATABASES = "tests/test_variants.py::test_whoever_writes_does_not_read_from_a_replica"
_SECONDS_WITH_OTHER_DATABASES = 60
_NAMES_DATABASE = re.compile(r"using|for_write|_state\.db")


class Covering:
    """The tests that passed, their seconds, and the lines that they execute."""

    def __init__(self, state: Path, package: Path) -> None:
        self.package = package
        self.seconds = _seconds_of(state / "tests.xml")
        data = CoverageData(basename=str(state / "coverage"))
        data.read()
        self._lines: dict[str, dict[int, list[str]]] = {}
        for path in data.measured_files():
            module = path[path.rindex(f"/{package.name}/") + 1 :]
            self._lines[module] = data.contexts_by_lineno(path)
        executions = (each for lines in self._lines.values() for each in lines.values())
        #: The number of lines that a test executes: few, if it is about this module.
        self._breadth = Counter(_test_of(each) for contexts in executions for each in contexts)

    def tests_of(self, mutant: Mutant, budget: float) -> tuple[list[str], int]:
        """Return tests that execute the mutant, of all files, and the number of those left out.

        A statement outside of functions is executed at import. The tests that count are those that
        execute a line with one of its names, or any line of its module.
        """
        lines = self._lines.get(mutant.module, {})
        found = self._executing(lines, range(mutant.first, mutant.last + 1))
        for name in mutant.names if not found else ():
            found |= self._naming(name)
        found = found or self._executing(lines, lines)
        tests = self._most_likely_first(found, Path(mutant.module).stem)
        left = 0
        while self.seconds_of(tests) > budget and len(tests) > 1:
            tests.pop()
            left += 1
        if len(_NAMES_DATABASE.findall(mutant.after)) < len(_NAMES_DATABASE.findall(mutant.before)):
            part = mutant.module.split("/")[1].removesuffix(".py")
            part = part if part in ("privacy", "retention", "sync") else "processing"
            tests.append(f"{_WITH_OTHER_DATABASES}[{part}]")
        return tests, left

    def _most_likely_first(self, tests: Iterable[str], stem: str) -> list[str]:
        """Return the tests of files that are named after the module, then those that execute little.

        Every second of these is the next one of another file, because those of a file are alike.
        """
        by_file: dict[str, list[str]] = defaultdict(list)
        narrow = sorted(tests, key=lambda test: (self._breadth[test], test))
        for test in narrow:
            by_file[test.partition("::")[0]].append(test)
        named = [test for file in by_file if stem in Path(file).stem for test in by_file[file]]
        in_turn = (test for turn in zip_longest(*by_file.values()) for test in turn if test)
        mixed = (test for pair in zip(narrow, in_turn, strict=True) for test in pair)
        return list(dict.fromkeys([*named, *mixed]))

    def seconds_of(self, tests: list[str]) -> float:
        return sum(self.seconds.get(test, _SECONDS_WITH_OTHER_DATABASES) for test in tests)

    def _executing(self, lines: dict[int, list[str]], numbers: object) -> set[str]:
        contexts = {each for number in numbers for each in lines.get(number, ())}
        return {_test_of(each) for each in contexts} & self.seconds.keys()

    def _naming(self, name: str) -> set[str]:
        word = re.compile(rf"\b{re.escape(name)}\b")
        found: set[str] = set()
        for module, text in self._sources.items():
            numbers = [at for at, line in enumerate(text.splitlines(), 1) if word.search(line)]
            found |= self._executing(self._lines.get(module, {}), numbers)
        return found

    @cached_property
    def _sources(self) -> dict[str, str]:
        root = self.package.parent
        paths = self.package.rglob("*.py")
        return {str(path.relative_to(root)): path.read_text() for path in paths}


def record(state: Path, root: Path, processes: int) -> None:
    """Run the suite once, unmutated. Tests that fail are not used."""
    options = ["-q", "--nomigrations", "-n", str(processes), "-p", "no:cacheprovider"]
    options += ["-p", "tests.mutation.recording"]
    options += ["--cov", "--cov-context=test", "--cov-report=", "--cov-fail-under=0"]
    options += [f"--junitxml={state / 'tests.xml'}", "-o", "junit_family=xunit1"]
    options += [f"--ignore={path}" for path in LEFT_OUT]
    run(
        [sys.executable, "-m", "pytest", *options],
        cwd=root,
        env=os.environ | {"COVERAGE_FILE": str(state / "coverage"), "PYTHONPATH": str(root)},
        stdout=None,
        timeout=None,
    )


def _test_of(context: str) -> str:
    return context.rpartition("|")[0]  # behind it stands "setup", "run" or "teardown"


def _seconds_of(report: Path) -> dict[str, float]:
    """Return the seconds of each test that passed, by its id."""
    seconds = {}
    for case in ElementTree.parse(report).iter("testcase"):
        if len(case) and any(each.tag in ("failure", "error", "skipped") for each in case):
            continue
        path = case.get("file") or ""
        module = path.removesuffix(".py").replace("/", ".")
        classes = (case.get("classname") or "").removeprefix(module).strip(".")
        parts = [path, *filter(None, classes.split(".")), case.get("name") or ""]
        seconds["::".join(parts)] = float(case.get("time") or 0)
    return seconds

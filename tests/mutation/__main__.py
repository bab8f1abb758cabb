"""Measure how many faults the tests find: ``python -m tests.mutation --help``."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from pathlib import Path

from tests.mutation.covering import Covering, record
from tests.mutation.equivalent import reason_of
from tests.mutation.operators import Mutant, mutants_of, sample
from tests.mutation.trials import Outcome, Results, Trial, copied

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "django_altoviz"
#: What keeps the promises: the intake, the queue, the mirror, the sync, the client.
CORE = [
    *("client/*.py", "intake/*.py", "models/*.py", "models/mirrors/*.py", "privacy/*.py"),
    *("processing/*.py", "registration/*.py", "signals/*.py", "sync/*.py"),
    *("exact_json.py", "rejections.py", "retention.py", "views.py"),
]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    add = parser.add_argument
    add("modules", nargs="*", default=CORE, help="paths below the package, such as sync/*.py")
    add("--mutants", type=int, default=10, help="of each module (default: %(default)s)")
    add("--seed", default="1", help="chooses the mutants (default: %(default)s)")
    add("--seconds", type=float, default=15, help="recorded time of the tests for each mutant")
    add("--processes", type=int, default=1, help="that record which tests execute which lines")
    add("--record", action="store_true", help="record that again, after changes to the tests")
    add("--retry", action="store_true", help="try those again that survived")
    state = Path(tempfile.gettempdir()) / "django-altoviz-mutants"
    add("--state", type=Path, default=state, help="directory of the results (default: %(default)s)")
    return parser.parse_args()


def main() -> None:
    options = parse_arguments()
    options.state.mkdir(parents=True, exist_ok=True)
    paths = {path for each in options.modules for path in (ROOT / PACKAGE).glob(each)}
    modules = sorted(str(path.relative_to(ROOT)) for path in paths)
    with copied(ROOT) as copy:
        if options.record or not (options.state / "tests.xml").exists():
            record(options.state, copy, options.processes)
        measuring = Measuring(options, copy)
        for module in modules:
            measuring.measure(module)
        measuring.report()


class Measuring:
    """Try mutants of modules, and print what became of them."""

    def __init__(self, options: argparse.Namespace, copy: Path) -> None:
        self.options, self.copy = options, copy
        self._results = Results(options.state / "results.jsonl")
        self._covering = Covering(options.state, copy / PACKAGE)
        self._trial = Trial(copy)
        self._total: Counter[str] = Counter()
        self._survivors: list[Mutant] = []
        self._killers: dict[str, float] = {}

    def measure(self, module: str) -> None:
        """Try a sample of the module's mutants, and print its row of the table."""
        source = (self.copy / module).read_bytes()
        seed = f"{self.options.seed}:{module}"
        counts: Counter[str] = Counter()
        for mutant in sample(mutants_of(module, source), self.options.mutants, seed, source):
            outcome = self._outcome_of(mutant)
            counts[outcome.name] += 1
            if outcome.name == "survived":
                self._survivors.append(mutant)
            if outcome.killer:
                self._killers[outcome.killer] = self._covering.seconds_of([outcome.killer])
        if counts:
            print_row(module, counts)
        self._total += counts

    def _outcome_of(self, mutant: Mutant) -> Outcome:
        if reason_of(mutant, os.environ.get("DATABASE", "sqlite")):
            return Outcome("equivalent")
        known = self._results.get(mutant)
        if known and not (known.name == "survived" and self.options.retry):
            return known
        tests, left = self._covering.tests_of(mutant, self.options.seconds)
        seconds = self._covering.seconds_of(tests)
        outcome = self._trial.outcome(mutant, tests, seconds) if tests else Outcome("survived")
        self._results.add(mutant, outcome, left)
        return outcome

    def report(self) -> None:
        """Print the sum and the survivors. Check that the tests that killed pass without a mutant."""
        print_row("all", self._total)
        for mutant in self._survivors:
            print(f"\n{mutant.module}:{mutant.line} {mutant.operator}")
            print(f"  - {mutant.before}\n  + {mutant.after}")
        if self._killers and self._trial.run([*self._killers], sum(self._killers.values())) != 0:
            failed = "\n".join(self._trial.failed())
            raise SystemExit(f"These fail without a mutant, so they have killed none:\n{failed}")


def print_row(name: str, counts: Counter[str]) -> None:
    killed = counts["killed"] + counts["timeout"]
    tried = killed + counts["survived"]
    score = f"{100 * killed / tried:.0f} %" if tried else "-"
    print(
        f"{name:55} {sum(counts.values()):5} mutants {killed:5} killed "
        f"{counts['survived']:4} survived {counts['equivalent']:4} equivalent {score:>6}",
        flush=True,
    )


if __name__ == "__main__":
    main()

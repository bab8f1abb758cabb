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
from tests.mutation.trials import Results, Trial, copied

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
    results = Results(options.state / "results.jsonl")
    table: dict[str, Counter[str]] = {}
    survivors: list[Mutant] = []
    with copied(ROOT) as copy:
        if options.record or not (options.state / "tests.xml").exists():
            record(options.state, copy, options.processes)
        covering = Covering(options.state, copy / PACKAGE)
        for path in sorted(paths):
            module = str(path.relative_to(ROOT))
            source = (copy / module).read_bytes()
            chosen = mutants_of(module, source)
            chosen = sample(chosen, options.mutants, f"{options.seed}:{module}", source)
            table[module] = Counter()
            for mutant in chosen:
                outcome = outcome_of(mutant, options, covering, results, Trial(copy))
                table[module][outcome] += 1
                if outcome == "survived":
                    survivors.append(mutant)
            print_row(module, table[module])
    print_row("all", sum(table.values(), Counter()))
    for mutant in survivors:
        print(f"\n{mutant.module}:{mutant.line} {mutant.operator}")
        print(f"  - {mutant.before}\n  + {mutant.after}")


def outcome_of(
    mutant: Mutant, options: argparse.Namespace, covering: Covering, results: Results, trial: Trial
) -> str:
    if reason_of(mutant, os.environ.get("DATABASE", "sqlite")):
        return "equivalent"
    known = results.get(mutant)
    if known is not None and not (known == "survived" and options.retry):
        return known
    tests, left = covering.tests_of(mutant, options.seconds)
    outcome = trial.outcome(mutant, tests, covering.seconds_of(tests)) if tests else "survived"
    results.add(mutant, outcome, left)
    return outcome


def print_row(name: str, counts: Counter[str]) -> None:
    killed = counts["killed"] + counts["timeout"]
    tried = killed + counts["survived"]
    score = f"{100 * killed / tried:.0f} %" if tried else "-"
    print(
        f"{name:55} {counts.total():5} mutants {killed:5} killed {counts['survived']:4} survived "
        f"{counts['equivalent']:4} equivalent {score:>6}",
        flush=True,
    )


if __name__ == "__main__":
    main()

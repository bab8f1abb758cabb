"""Measure the packages that are installed here: ``python -m benchmarks.measuring``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measuring.campaign import LENGTHS, Campaign, available_kinds, available_targets
from benchmarks.measuring.environment import BENCHMARKS
from benchmarks.measuring.report import report

PARTS = ["receiving", "steps", "draining", "growing"]
RESULTS = BENCHMARKS / "results"


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/run.py",
        description="Compare django-altoviz with bare Django views and its peers.",
    )
    parser.add_argument("--length", choices=LENGTHS, default="normal")
    parser.add_argument("--databases", type=names, default=["sqlite", "postgres"])
    parser.add_argument(
        "--targets",
        type=names,
        default=["floor", "deferred", "inline", "djstripe", "github"],
        help="Names of targets, or prefixes of names.",
    )
    parser.add_argument("--parts", type=names, default=PARTS, help=", ".join(PARTS))
    parser.add_argument(
        "--no-flush",
        action="store_true",
        help="Do not wait for the disk on commit. Never run a webhook receiver like this; use it to see "
        "what the code costs on a machine whose disk is slow or busy.",
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="The folder for the results.")
    return parser.parse_args()


def main() -> None:
    # Exit by an exception, so that the databases are dropped and the folder is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = arguments()
    os.environ["BENCH_FLUSH"] = "off" if options.no_flush else "on"
    options.results.mkdir(parents=True, exist_ok=True)
    # Beside the results, because a temporary folder may be in memory.
    folder = Path(tempfile.mkdtemp(prefix="running-", dir=options.results))
    campaign = Campaign(
        available_kinds(options.databases, folder),
        available_targets(options.targets),
        LENGTHS[options.length],
        folder,
    )
    results: dict[str, Any] = {"about": campaign.about()}
    try:
        for part in PARTS:
            if part in options.parts:
                print(f"{part.capitalize()} ...", flush=True)
                results[part] = getattr(campaign, part)()
                print(report({part: results[part]}), flush=True)
    finally:
        campaign.templates.drop()
        shutil.rmtree(folder)
    save(options.results, results, report(results))


def save(folder: Path, results: dict[str, Any], text: str) -> None:
    name = folder / time.strftime("%Y-%m-%d-%H%M%S")
    name.with_suffix(".json").write_text(json.dumps(results, default=dataclasses.asdict, indent=1))
    name.with_suffix(".rst").write_text(text)
    print(f"Saved as {name}.rst and .json")


if __name__ == "__main__":
    main()

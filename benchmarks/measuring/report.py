"""Write the figures as tables, for the terminal and for the documentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.measuring.draining import Drained
from benchmarks.measuring.figures import REFERENCES, Quartiles, Ratio, Row
from benchmarks.measuring.growing import Grown

#: The aims: a target, its reference, and the minimum ratio of their speeds.
AIMS = [
    ("deferred", "floor-insert", 0.9),
    ("deferred", "djstripe", 6.0),
    ("inline", "floor-upsert", 0.7),
    ("inline", "djstripe", 3.0),
    ("inline", "github-app", 1.0),
]
# The tolerance for a full table. A smaller difference can't be told from noise.
_FLAT = 1.1
_MB = 2**20


def report(results: dict[str, Any]) -> str:
    """Return all available results as reStructuredText."""
    parts = [(name, write(results[name])) for name, write in _PARTS.items() if results.get(name)]
    return "\n\n".join(text for _name, text in parts) + "\n"


def _about(about: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in about.items())


def _receiving(rows: list[Row]) -> str:
    tables = [
        _figures(rows),
        _ratios(rows, "by req/s", lambda ratio: ratio.rate),
        _ratios(rows, "by CPU", lambda ratio: ratio.cpu),
        _aims(rows),
    ]
    return "\n\n".join(filter(None, tables))


def _figures(rows: list[Row]) -> str:
    heads = ["target", "database", "req/s", "quartiles", "p50 ms", "p99 ms"]
    heads += ["CPU ms", "db CPU ms", "sender ms"]
    cells = [
        [
            row.target,
            row.kind,
            f"{row.rate[1]:.0f}",
            f"{row.rate[0]:.0f}-{row.rate[2]:.0f}",
            f"{1000 * row.p50:.1f}",
            f"{1000 * row.p99:.1f}",
            f"{1000 * row.cpu:.2f}",
            f"{1000 * row.database_cpu:.2f}" if row.kind != "sqlite" else "-",
            f"{1000 * row.client_cpu:.2f}",
        ]
        for row in rows
    ]
    return table(heads, cells)


def _ratios(rows: list[Row], heading: str, quartiles_of: Callable[[Ratio], Quartiles]) -> str:
    """Return a table of the ratios to each reference."""
    known = [name for name in REFERENCES if any(row.ratio_to(name) for row in rows)]
    cells = []
    for row in rows:
        found = [row.ratio_to(name) for name in known]
        spreads = [_spread(quartiles_of(ratio)) if ratio else "-" for ratio in found]
        cells.append([row.target, row.kind, *spreads])
    return table([heading, "database", *(f"/ {name}" for name in known)], cells)


def _spread(quartiles: Quartiles) -> str:
    first, median, third = quartiles
    return f"{median:.2f} ({first:.2f}-{third:.2f})"


def _aims(rows: list[Row]) -> str:
    cells = []
    for target, reference, aim in AIMS:
        for row in rows:
            ratio = row.ratio_to(reference) if row.target == target else None
            if ratio is not None:
                verdict = "met" if ratio.rate[1] >= aim else "missed"
                figures = [f"{aim:.1f}", f"{ratio.rate[1]:.2f}", f"{ratio.cpu[1]:.2f}", verdict]
                cells.append([f"{target} / {reference}", row.kind, *figures])
    if not cells:
        return ""
    return table(["aim", "database", "at least", "by req/s", "by CPU", "verdict"], cells)


def _steps(figures: list[dict[str, Any]]) -> str:
    return "\n\n".join([_sums(figures), *map(_timeline, figures)])


def _sums(figures: list[dict[str, Any]]) -> str:
    heads = ["in-process", "database", "us", "CPU us", "statements", "commits"]
    cells = [
        [
            each["target"],
            each["kind"],
            f"{1e6 * each['wall']:.0f}",
            f"{1e6 * each['cpu']:.0f}",
            str(each["statements"]),
            str(each["commits"]),
        ]
        for each in figures
    ]
    return table(heads, cells)


def _timeline(figures: dict[str, Any]) -> str:
    cells = [
        [step["statement"], f"{1e6 * step['before']:.0f}", f"{1e6 * step['seconds']:.0f}"]
        for step in figures["steps"]
    ]
    shares = ", ".join(f"{name} {share:.0%}" for name, share in figures["layers"].items())
    heads = [f"{figures['target']}, {figures['kind']}", "us before", "us"]
    return f"{table(heads, cells)}\n\n{shares}."


def _draining(figures: list[Drained]) -> str:
    heads = ["database", "workers", "events", "left", "events/s", "times inline"]
    heads += ["CPU ms", "MB early", "MB peak"]
    cells = [
        [
            each.kind,
            str(each.workers),
            str(each.events),
            str(each.left),
            f"{each.rate:.0f}",
            f"{each.rate / each.inline_rate:.2f}",
            f"{1000 * each.cpu_per_event:.2f}",
            f"{each.early_memory / _MB:.0f}",
            f"{each.peak_memory / _MB:.0f}",
        ]
        for each in figures
    ]
    return table(heads, cells)


def _growing(figures: list[Grown]) -> str:
    heads = ["database", "target", "stored", "p50 ms", "p50 ms, small", "ratio", "verdict"]
    cells = [
        [
            each.kind,
            each.target,
            str(each.stored),
            f"{1000 * each.p50:.2f}",
            f"{1000 * each.small_p50:.2f}",
            f"{each.ratio:.2f}",
            "flat" if each.ratio <= _FLAT else "not flat",
        ]
        for each in figures
    ]
    return table(heads, cells)


_PARTS: dict[str, Callable[[Any], str]] = {
    "about": _about,
    "receiving": _receiving,
    "steps": _steps,
    "draining": _draining,
    "growing": _growing,
}


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a simple reStructuredText table, with numbers aligned to the right."""
    columns = list(zip(heads, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    rule = "  ".join("=" * width for width in widths)
    lines = [_line(heads, rows[0] if rows else heads, widths)]
    lines += [_line(row, row, widths) for row in rows]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def _line(cells: Sequence[str], like: Sequence[str], widths: Sequence[int]) -> str:
    placed = [
        cell.rjust(width) if model[:1].isdigit() else cell.ljust(width)
        for cell, model, width in zip(cells, like, widths, strict=True)
    ]
    return "  ".join(placed).rstrip()

"""Bar charts as SVG that the server draws: the geometry, and the same numbers as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext

from django_altoviz.admin.display.values import labelled

# The units of the drawing, which is stretched to the width of the page. So it has no text in it.
_SLOT, _GAP, _HEIGHT = 10, 2, 100


@dataclass(frozen=True)
class Series:
    """The values of one colour, one for each bar; ``css`` is the end of its class."""

    css: str
    label: Any
    values: Sequence[Decimal | int]


@dataclass(frozen=True)
class Bar:
    """A rectangle in the units of the drawing, as text, because templates localise numbers."""

    x: str
    y: str
    width: str
    height: str
    css: str
    tip: str


@dataclass(frozen=True)
class Chart:
    """A bar chart: the series on top of each other, or side by side.

    ``write`` returns a value as text. Values below zero are in the table only.
    """

    id: str
    title: Any
    unit: Any
    labels: Sequence[str]
    series: Sequence[Series]
    write: Callable[[Decimal | int], str]
    is_stacked: bool = True

    @property
    def box(self) -> str:
        return f"0 0 {len(self.labels) * _SLOT} {_HEIGHT}"

    @cached_property
    def highest(self) -> Decimal | int:
        """The height of the drawing, as a value."""
        if self.is_stacked:
            return max((sum(column) for column in self._columns()), default=0)
        return max((value for column in self._columns() for value in column), default=0)

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)

    @property
    def top(self) -> str:
        return self.write(self.highest)

    @property
    def description(self) -> str:
        """Return what a screen reader says of the drawing."""
        totals = "; ".join(
            labelled(series.label, self.write(sum(series.values))) for series in self.series
        )
        text = gettext("%(first)s to %(last)s. %(totals)s. The table has all numbers.")
        return text % {"first": self.labels[0], "last": self.labels[-1], "totals": totals or "0"}

    def bars(self) -> Iterator[Bar]:
        if self.highest <= 0:
            return
        for place, column in enumerate(self._columns()):
            base = 0.0
            for number, value in enumerate(column):
                if value <= 0:
                    continue
                height = float(value / self.highest) * _HEIGHT
                width = (_SLOT - _GAP) / (1 if self.is_stacked else len(column))
                left = place * _SLOT + _GAP / 2 + (0 if self.is_stacked else number * width)
                yield self._bar(place, number, (left, _HEIGHT - base - height, width, height))
                base += height if self.is_stacked else 0

    def _bar(self, place: int, number: int, geometry: tuple[float, ...]) -> Bar:
        series = self.series[number]
        value_text = labelled(series.label, self.write(series.values[place]))
        tip = f"{self.labels[place]} · {value_text}"
        x, y, width, height = (f"{value:.2f}" for value in geometry)
        return Bar(x, y, width, height, series.css, tip)

    def ticks(self) -> list[str]:
        """Return the labels below the drawing: the first, the middle and the last."""
        return [self.labels[0], self.labels[len(self.labels) // 2], self.labels[-1]]

    def rows(self) -> list[tuple[str, list[str]]]:
        """Return the rows of the table, the last first."""
        columns = zip(self.labels, self._columns(), strict=True)
        return [(label, [*map(self.write, column)]) for label, column in columns][::-1]

    def _columns(self) -> list[tuple[Decimal | int, ...]]:
        """Return the values of each bar."""
        if not self.series:
            return [()] * len(self.labels)
        return list(zip(*(series.values for series in self.series), strict=True))

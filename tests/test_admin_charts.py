"""The charts of the overview: bars of the right height, and the same numbers as text."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.utils import timezone

from django_altoviz.admin.display.charts import Chart, Series
from django_altoviz.models import Status
from tests.test_admin import client_of, html, store
from tests.test_admin_overview import PAGE, VIEW, invoice_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer():
    cache.clear()  # the numbers are kept for a minute
    return client_of("viewer", *VIEW)


class TestCharts:
    def test_have_a_title_a_description_and_a_table(self, viewer):
        store(b"1", status=Status.PROCESSED)
        store(b"2", status=Status.DEAD)
        page = html(viewer, PAGE)
        (ids,) = {*re.findall(r'aria-labelledby="(altoviz-hours-title altoviz-hours-desc)"', page)}
        assert all(f'id="{name}"' in page for name in ids.split())
        assert "processed: 1; dead: 1. The table has all numbers." in page
        table = page[page.index('id="altoviz-hours-desc"') :]
        assert re.search(r'<th scope="row">[^<]+</th><td>1</td><td>1</td>', table)
        assert "· dead: 1</title>" in page

    def test_of_nothing_say_so(self, viewer):
        page = html(viewer, PAGE)
        assert page.count("Nothing in this time.") == 2
        assert 'role="img"' not in page

    def test_of_nothing_but_a_credit_show_it_in_the_table(self, viewer):
        invoice_of(tax_included_amount=Decimal("-12.50"), balance=0)
        page = html(viewer, PAGE)
        chart = page[page.index('<figure class="altoviz-chart">') :]
        chart = chart[: chart.index("</figure>")]
        assert "Nothing in this time." not in chart
        assert "<svg" not in chart
        assert "<td>-€12.50</td>" in chart

    def chart(self, *values, is_stacked=True):
        series = [Series(str(n), str(n), each) for n, each in enumerate(values)]
        labels = ["a", "b", "c"]
        return Chart("id", "title", "", labels, series, str, is_stacked=is_stacked)

    def test_bars_are_on_top_of_each_other(self):
        bars = [(bar.y, bar.height) for bar in self.chart([1, 0, 2], [3, 0, 2]).bars()]
        assert bars == [
            ("75.00", "25.00"),
            ("0.00", "75.00"),
            ("50.00", "50.00"),
            ("0.00", "50.00"),
        ]

    def test_bars_are_side_by_side(self):
        chart = self.chart([Decimal(4), 0, 0], [Decimal(1), 0, 0], is_stacked=False)
        assert [(bar.x, bar.width, bar.height) for bar in chart.bars()] == [
            ("1.00", "4.00", "100.00"),
            ("5.00", "4.00", "25.00"),
        ]
        assert chart.top == "4"

    def test_no_series_at_all_have_no_bars_and_empty_rows(self):
        chart = self.chart(is_stacked=False)
        assert [*chart.bars()] == []
        assert chart.rows() == [("c", []), ("b", []), ("a", [])]

    def test_negative_and_huge_values_are_in_the_table(self):
        chart = self.chart([-1, 0, Decimal(10) ** 60], is_stacked=False)
        assert [bar.height for bar in chart.bars()] == ["100.00"]
        assert chart.rows()[-1] == ("a", ["-1"])
        assert [*self.chart([-1, 0, 0]).bars()] == []


def test_days_are_named_in_local_time(viewer):
    store(b"1", received_at=timezone.now() - datetime.timedelta(days=3))
    page = html(viewer, PAGE)
    assert page.count("altoviz-bar-malformed") == 2  # the bar and its colour in the legend
    assert "altoviz-hours-desc" not in page

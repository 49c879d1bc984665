"""Charts: axes end at round figures, and what is drawn lies where its figures say."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tests.web.conftest import Node
from vivavoce.web.charts import Bar, Series, columns, lines, nice, number, shares


@given(st.floats(1e-6, 1e9), st.integers(2, 9))
def test_an_axis_holds_its_values_and_is_round(most: float, marks: int):
    end, found = nice(most, marks)
    assert most * 0.998 <= end <= most * 2.6
    assert found[0] == 0
    assert math.isclose(found[-1], end, rel_tol=1e-6)
    assert 2 <= len(found) <= marks + 2


def test_an_axis_of_nothing():
    assert nice(0.0) == (1.0, [0.0, 1.0])
    assert nice(math.nan) == (1.0, [0.0, 1.0])


def test_figures_are_short():
    assert [number(each) for each in (0, 0.4, 2.5, 38.21, 1204.4)] == [
        "0", "0.4", "2.5", "38.2", "1,204"
    ]  # fmt: skip


def test_a_higher_value_stands_higher(parse: Callable[[str], Node]):
    series = Series("CPU", "agent", ((1, 5.0), (10, 40.0), (20, 80.0)))
    chart = parse(lines("a", "CPU", "told", [series], across="calls", up="%", limit=(90.0, "full")))
    dots = chart.all("circle")
    heights = [float(dot.attributes["cy"]) for dot in dots]
    assert heights == sorted(heights, reverse=True)
    assert dots[2].one("title").text == "20 calls: CPU 80"
    (limit,) = chart.all("line", "limit")
    assert float(limit.attributes["y1"]) < heights[-1]


def test_the_parts_of_a_column_stand_on_each_other(parse: Callable[[str], Node]):
    stack = [Bar("speech", 0, 30, "speech"), Bar("output", 30, 20, "output")]
    low, high = parse(columns("a", "Turns", "told", [stack], across="turns", up="ms")).all("rect")
    top_of_low = float(low.attributes["y"])
    bottom_of_high = float(high.attributes["y"]) + float(high.attributes["height"])
    assert math.isclose(top_of_low, bottom_of_high, abs_tol=0.2)


def test_shares_reach_all_of_them(parse: Callable[[str], Node]):
    chart = parse(shares("a", "Delays", "told", [100.0, 200.0, 300.0, 400.0], unit="ms"))
    assert [each.text for each in chart.all("text", "strong")] == ["p50 200 ms", "p95 400 ms"]
    assert parse(shares("b", "Delays", "told", [], unit="ms")).all("svg")

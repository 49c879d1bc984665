"""The page of a bench: it stands on its own, says all figures, and is read back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.web.benched import result
from tests.web.conftest import Node
from vivavoce.pipelines.benching.compared import compare
from vivavoce.web.bench_page import page, read_bench, write_bench
from vivavoce.web.story import ReportError


@pytest.fixture
def shown(parse: Callable[[str], Node]) -> Node:
    changes = [each.to_dict() for each in compare(result(1), result(2, slower=40.0))]
    return parse(
        page(result(2, slower=40.0), [{"against": "yesterday"}, *changes])
        .replace("<!doctype html>", "")
    )  # fmt: skip


def test_it_asks_nobody_for_anything(shown: Node):
    (policy,) = (
        node.attributes["content"]
        for node in shown.all("meta")
        if node.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    for node in shown:
        assert "style" not in node.attributes
        assert not any(name.startswith("on") for name in node.attributes)
        for name in ("src", "href"):
            assert re.match(r"#|data:|$", node.attributes.get(name, ""))


def test_every_chart_is_described_and_has_its_figures(shown: Node):
    charts = shown.all("svg", "chart-svg")
    assert len(charts) == 8  # the cascade is there for wide and for narrow screens
    names = [chart.one("desc").attributes["id"] for chart in charts]
    assert len(set(names)) == 8
    for chart in charts:
        assert chart.attributes["role"] == "img"
        assert all(name in chart.attributes["aria-labelledby"] for name in (
            chart.all("title")[0].attributes["id"], chart.one("desc").attributes["id"]
        ))  # fmt: skip
        assert chart.one("desc").text
    figures = shown.all("figure")
    assert len(figures) == 7
    for figure in figures:
        assert figure.all("th")
        (region,) = figure.all(cls="scroll")
        assert (region.attributes["tabindex"], region.attributes["role"]) == ("0", "region")


def test_the_figures_are_those_that_were_measured(shown: Node):
    found = result(2, slower=40.0)
    heroes = shown.one("dl", "heroes").text
    assert f"{found['latency']['v2v']['p50']:,.0f} ms" in heroes
    assert "35" in heroes
    text = shown.text
    assert "each call 1.91%" in text
    assert "a packet in a hundred came 25 ms late" in text
    assert "The machine was busy before the run" in text
    assert "vivavoce bench --turns 40" in text
    assert "Earlier: yesterday." in text
    assert "worse" in text
    for row in found["capacity"]["rows"]:
        assert f"{row['memory_mb']:,.0f} MB" in text


def test_it_is_read_back(tmp_path: Path):
    found, out = result(), tmp_path / "bench.html"
    write_bench(found, out)
    assert read_bench(out) == found
    (tmp_path / "bench.json").write_text(json.dumps(found))
    assert read_bench(tmp_path / "bench.json") == found


@pytest.mark.parametrize("content", ["", "{}", "[1]", "<html></html>", '{"kind": "else"}'])
def test_what_is_no_bench_is_refused(tmp_path: Path, content: str):
    (tmp_path / "other").write_text(content)
    with pytest.raises(ReportError, match="other"):
        read_bench(tmp_path / "other")
    with pytest.raises(ReportError, match="cannot be read"):
        read_bench(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "missing", [("capacity",), ("latency",), ("capacity", "latency", "machine", "rest", "backends")]
)
def test_what_was_not_measured_is_left_out(missing: tuple[str, ...], parse: Callable[[str], Node]):
    found: dict[str, Any] = {k: v for k, v in result().items() if k not in missing}
    found["interrupted"] = True
    shown = parse(page(found).replace("<!doctype html>", ""))
    assert "stopped before its end" in shown.text
    headings = [node.text for node in shown.all("h2")]
    assert ("How many calls one core carries" in headings) is ("capacity" not in missing)
    assert ("How long a caller waits" in headings) is ("latency" not in missing)


def test_what_a_machine_calls_itself_is_no_markup(parse: Callable[[str], Node]):
    found = result()
    found["machine"]["cpu"] = "<script>alert(1)</script>"
    found["warnings"] = ["<b>bold</b>"]
    shown = parse(page(found).replace("<!doctype html>", ""))
    assert len(shown.all("script")) == 2
    assert "<b>bold</b>" in shown.text

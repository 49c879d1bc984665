import re

import pytest

from vivavoce.agent.ledger import STAGES, Latency, Span, account
from vivavoce.web.story import read
from vivavoce.web.waterfall import hidden_bars, shorten, strip, waterfall


def width(node):
    return float(re.search(r"width:([\d.]+)%", node.attributes["style"])[1])


@pytest.fixture
def page(record, parse):
    return parse(waterfall(read(record)))


def test_a_row_per_timed_reply_with_its_parts_in_order(page):
    first, second = page.one("ol", "rows").all("li")
    stages = [bar.attributes["class"].split()[0] for bar in first.one("span", "bars").all("i")]
    assert stages == ["endpointing", "thinking", "tools", "speech", "output"]
    assert first.one("span", "total").text == "1,000 ms"
    assert second.one("span", "total").text == "500 ms"
    assert first.one("a").attributes["href"] == "#e2"


def test_the_parts_sum_to_the_total(page):
    first, second = page.one("ol", "rows").all("li")
    assert sum(width(bar) for bar in first.one("span", "bars").all("i")) == pytest.approx(
        100, abs=0.05
    )
    assert sum(width(bar) for bar in second.one("span", "bars").all("i")) == pytest.approx(
        50, abs=0.05
    )


def test_the_table_is_exact(page):
    for row, total in zip(page.one("tbody").all("tr"), (1000, 500.123), strict=True):
        cells = [cell.children[0] for cell in row.all("td")]
        figures = [float(cell.replace(",", "")) for cell in cells[:-1]]
        assert len(figures) == len(STAGES)
        assert sum(figures) == pytest.approx(total, abs=1e-9)
        assert float(row.one("b").text.replace(",", "")) == total
    assert "+120.000" in page.one("table").text


def test_no_delay_no_waterfall():
    assert waterfall(read({})) is None
    reply = {"kind": "agent", "generated": "Hi", "heard": "Hi", "latency": None}
    assert waterfall(read({"transcript": [reply]})) is None


def test_a_reply_without_any_delay_is_drawn(record, parse):
    zero = {"total_us": 0, "stages_us": {}, "hidden_us": {}}
    record["transcript"] = [{"kind": "agent", "heard": "Hi", "started": 1, "latency": zero}]
    page = parse(waterfall(read(record)))
    assert page.one("span", "total").text == "0 ms"


def test_hidden_work_ends_where_its_stage_begins():
    # Thinking ran from 100 to 400 ms while the end of the turn was decided until 300 ms.
    spans = [Span("endpointing", 0, 0.3), Span("thinking", 0.1, 0.4)]
    found = account(0.0, 0.5, spans)
    assert list(hidden_bars(found)) == [("thinking", 100_000, 300_000)]


def test_hidden_work_stays_within_the_total():
    stages = dict.fromkeys(STAGES, 0) | {"output": 100}
    hidden = dict.fromkeys(STAGES, 0) | {"thinking": 250, "speech": 60}
    bars = list(hidden_bars(Latency(100, stages, hidden)))
    assert bars == [("thinking", 0, 100), ("speech", 0, 60)]


def test_the_strip_shows_shares(parse):
    stages = dict.fromkeys(STAGES, 0) | {"thinking": 250, "speech": 750}
    style = (
        parse(strip(Latency(1000, stages, dict.fromkeys(STAGES, 0)))).one("i").attributes["style"]
    )
    assert style == "--stops:var(--thinking)0 25%,var(--speech)0 100%"


def test_the_legend_names_all_that_is_drawn(page):
    names = [item.attributes["class"].split()[1] for item in page.one("ul", "legend").all("i")]
    drawn = {bar.attributes["class"].split()[0] for bar in page.one("ol", "rows").all("i")}
    assert set(names) == drawn | {"hidden"}
    assert names[:-1] == [stage for stage in STAGES if stage in drawn]


def test_a_stage_that_only_hid_is_in_the_legend(record, parse):
    only = {"total_us": 5, "stages_us": {"output": 5}, "hidden_us": {"speech": 4}}
    record["transcript"] = [{"kind": "agent", "heard": "Hi", "started": 1, "latency": only}]
    legend = parse(waterfall(read(record))).one("ul", "legend")
    assert len(legend.all("i", "speech")) == 1


def test_guesses_are_accounted_for(record, parse, page):
    assert page.one("p", "guesses").text == (
        "The agent began to answer on 3 guesses that the caller had finished: 2 held, "
        "and 21 tokens were thrown away."
    )
    record["speculation"] = {"guesses": 1, "hits": 1, "wasted_tokens": 0}
    assert (
        parse(waterfall(read(record)))
        .one("p", "guesses")
        .text.endswith(
            "on 1 guess that the caller had finished: 1 held, and nothing was thrown away."
        )
    )
    record["speculation"] = {"guesses": 0}
    assert not parse(waterfall(read(record))).all("p", "guesses")


def test_labels_are_cut():
    assert shorten("a" * 48) == "a" * 48
    assert shorten("a" * 49) == "a" * 47 + "…"

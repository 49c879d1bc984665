"""The sizing's simulation against Erlang, and its page against what was kept."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sizing import erlang, page
from benchmarks.sizing.__main__ import main
from benchmarks.sizing.day import DAY, Day, Plan, rate, spread_out
from benchmarks.sizing.figures import RESULTS, read
from benchmarks.sizing.parts import minute, parts, per_core, per_node

DOCS = Path(__file__).parents[2] / "docs"


def test_erlangs_formulas_give_what_tables_give():
    # Printed tables: 5 lines at 2.219 erlangs refuse 5%, 20 at 12.03 refuse 1%, 100 at 84.1 1%.
    for offered, lines, share in ((2.219, 5, 0.05), (12.03, 20, 0.01), (84.06, 100, 0.01)):
        assert erlang.blocking(offered, lines) == pytest.approx(share, rel=0.01)
        assert erlang.lines(offered, share * 1.01) == lines
    # One line: the share of the time that it is taken.
    assert erlang.blocking(0.5, 1) == pytest.approx(1 / 3)
    assert erlang.waiting(0.5, 1) == pytest.approx(0.5)
    assert erlang.waiting(3, 2) == 1.0
    for wrong in (0.0, 1.0):
        with pytest.raises(ValueError):
            erlang.lines(3, wrong)


@pytest.mark.parametrize(
    ("offered", "lines", "spread"), [(20, 22, 1.0), (20, 22, 0.0), (8, 8, 1.0)]
)
def test_who_is_refused_is_as_many_as_erlang_says_whatever_the_lengths(offered, lines, spread):
    plan = Plan(
        peak=offered, per_node=lines, fixed=1, flat=True, mean=60, spread=spread, seconds=12_000
    )
    told = Day(plan, seed=7).run()
    assert told.came == pytest.approx(offered / 60 * 12_000, rel=0.05)
    assert told.refusal == pytest.approx(erlang.blocking(offered, lines), rel=0.25)
    assert told.most == lines


def test_several_machines_refuse_as_one_that_is_as_large():
    one = Plan(peak=20, per_node=24, fixed=1, flat=True, mean=60, seconds=8_000)
    four = Plan(peak=20, per_node=6, fixed=4, flat=True, mean=60, seconds=8_000)
    a, b = (Day(plan, seed=3).run() for plan in (one, four))
    assert a.refusal == pytest.approx(b.refusal, abs=0.02)


def test_who_waits_is_as_many_as_erlang_says():
    plan = Plan(
        peak=20, per_node=24, fixed=1, flat=True, mean=60, spread=0, waits=True, seconds=12_000
    )
    told = Day(plan, seed=5).run()
    assert told.refused == 0
    assert told.waited / told.came == pytest.approx(erlang.waiting(20, 24), rel=0.3)


def test_a_call_goes_where_the_most_room_is():
    assert spread_out(np.array([5, 3, 0]), 4).tolist() == [3, 1, 0]
    assert spread_out(np.array([5, 3, 0]), 9).tolist() == [5, 3, 0]
    assert spread_out(np.array([2, 2, 2]), 0).tolist() == [0, 0, 0]
    chance = np.random.default_rng(1)
    for _ in range(300):
        room = chance.integers(0, 9, chance.integers(1, 8))
        count = int(chance.integers(0, 40))
        given = spread_out(room, count)
        assert given.sum() == min(count, room.sum())
        assert (given >= 0).all()
        assert (given <= room).all()
        # Nobody is left with two more than somebody who was given a call.
        left = room - given
        assert (left[given > 0].min() if (given > 0).any() else 99) >= left.max() - 1


def test_a_deploy_and_deaths_lose_no_calls_where_there_is_room():
    plan = Plan(
        peak=400, per_node=40, mean=60, flat=True, seconds=2400, deploy=600, drain=60,
        lives=1, boot=60, rest=300,
    )  # fmt: skip
    told = Day(plan, seed=2).run()
    assert told.deaths > 3
    assert told.moved > told.deaths  # those of the dead, and of those that had not drained in time
    assert told.cut == 0
    assert told.refusal < 0.001
    cut = Day(
        Plan(peak=400, per_node=40, mean=60, flat=True, seconds=1200, lives=1, resumes=0)
    ).run()
    assert cut.moved == 0
    assert cut.cut > 0


def test_machines_follow_the_calls_and_a_burst_is_refused_until_they_come():
    quiet = Plan(peak=300, per_node=30, mean=60, flat=True, seconds=2400, boot=120)
    told = Day(quiet, seed=2).run()
    assert told.refused == 0
    assert told.up[-1] == pytest.approx(math.ceil(300 / 30 / 0.75) + 1, abs=2)
    burst = Plan(
        peak=300, per_node=30, mean=60, flat=True, seconds=3000, boot=120, burst=(1200, 900, 2.5)
    )
    hit = Day(burst, seed=2).run()
    assert hit.worst > 0.1  # the room that is kept is not enough for that
    assert max(hit.up) > told.up[-1] + 5
    assert hit.calls[-1] < 400  # and it ends


def test_a_day_is_as_the_curve_says():
    plan = Plan(peak=180, per_node=10, mean=180)
    assert max(rate(plan, second) for second in range(0, DAY, 60)) == pytest.approx(1.0)
    assert rate(plan, 3 * 3600) < 0.05
    with pytest.raises(ValueError):
        Plan(peak=0, per_node=1)


def test_parts_grow_with_the_calls_and_what_is_assumed_can_be_changed():
    figures = read()
    assert per_node(figures) == 14 * int(per_core(figures))
    assert per_core(read({"telephone_share": 0, "webrtc_share": 0})) == figures["socket_per_core"]
    found = {part.name: part for part in parts(figures)}
    for part in found.values():
        assert part.count(part.full * 0.999) == 1, part
        assert part.count(part.full * 3.5) == 4, part
    longer = {part.name: part for part in parts(read({"mean_call": 360}))}
    name = "Kamailio: a core"
    assert longer[name].full == pytest.approx(2 * found[name].full)
    cost = minute(figures, node_hours=100, minutes=1e6, peak=1000)
    assert cost["machines"] == pytest.approx(100 * figures["node_price"] / 1e6)
    assert cost["hearing"] == 0.006
    for wrong in ({"nothing": 1.0}, {"mean_call": -1.0}, {"telephone_share": 0.9}):
        with pytest.raises(ValueError):
            read(wrong)
    with pytest.raises(ValueError):
        per_node(read({"node_cores": 2}))


def test_the_command(tmp_path, capsys):
    out = tmp_path / "out.json"
    words = [
        "--sizes",
        "20",
        "--hours",
        "0.5",
        "--calls-per-core",
        "30",
        "--mean-call",
        "60",
        "--out",
        str(out),
    ]
    assert main(words) == 0
    told = json.loads(out.read_text())
    assert told["per_core"] == 30
    assert told["figures"]["mean_call"]["kind"] == "given"
    assert told["rows"][0]["refused"] == 0
    assert main(["--node-cores", "1"]) == 2
    assert "carries no call" in capsys.readouterr().err


def test_the_page_has_the_tables_of_what_was_kept():
    report = json.loads((RESULTS / "sizing.json").read_text())
    text = (DOCS / page.PAGE).read_text()
    assert page.filled(text, report) == text
    assert page.draw(report) == (DOCS / page.PICTURE).read_text()
    # What was measured since has been read: else run the command again.
    figures = read()
    for name, each in report["figures"].items():
        if each["kind"] == "assumed":
            assert figures[name] == each["value"], name
    assert [row["size"] for row in report["rows"]] == [100, 1_000, 10_000, 100_000]
    with pytest.raises(ValueError):
        page.filled(re.sub("<!-- day -->", "", text), report)

import re

import numpy as np
import pytest

from vivavoce.web.peaks import Peaks
from vivavoce.web.story import read
from vivavoce.web.timeline import outline, timeline


def points(path):
    """Follow a path of M, l, h, V, Z; what it passes through."""
    found = []
    x = y = 0
    for command, arguments in re.findall(r"([MlhVZ])([^MlhVZ]*)", path):
        numbers = [int(number) for number in re.findall(r"-?\d+", arguments)]
        match command:
            case "M":
                x, y = numbers
            case "l":
                x, y = x + numbers[0], y + numbers[1]
            case "h":
                for _ in range(abs(numbers[0]) - 1):
                    x += 1 if numbers[0] > 0 else -1
                    found.append((x, y))
                x += 1 if numbers[0] > 0 else -1
            case "V":
                (y,) = numbers
        found.append((x, y))
    return found[:-1]


def test_the_outline_passes_through_every_peak():
    rng = np.random.default_rng(3)
    high = rng.uniform(0, 1, 300).astype(np.float32)
    high[50:120] = 0  # silence, written as one run
    high[7] = 1
    side = np.stack([-high, high], axis=1)
    heights = np.rint(high * 100).astype(int)
    expected = [(x, 100 - heights[x]) for x in range(300)]
    expected += [(x, 100 + heights[x]) for x in reversed(range(300))]
    assert points(outline(side)) == expected


def test_silence_is_short_and_a_quiet_side_is_raised():
    assert outline(np.zeros((1600, 2), np.float32)) == "M0 100h1599V100h-1599Z"
    quiet = np.array([[-0.1, 0.1], [0, 0.05]], np.float32)
    assert points(outline(quiet)) == [(0, 0), (1, 50), (1, 100), (0, 200)]
    assert outline(np.zeros((0, 2), np.float32)) == ""


def test_a_noisy_outline_fits_a_page():
    side = np.random.default_rng(1).uniform(-1, 1, (2000, 2)).astype(np.float32)
    assert len(outline(side)) < 30_000


def place(node):
    return [float(number) for number in re.findall(r"([\d.]+)%", node.attributes["style"])]


def test_everything_lies_on_one_axis(record, parse):
    page = parse(timeline(read(record), None))
    caller, agent, events = page.all("div", "lane")
    assert [place(box) for box in caller.all("i", "said")] == [[8.33, 12.5], [33.33, 8.33]]
    assert [place(box) for box in agent.all("i", "said")] == [[29.17, 5.83], [54.17, 4.17]]
    # The caller waited 1 s until the first reply began at 3.5 s.
    assert place(agent.all("i", "wait")[0]) == [20.83, 8.33]
    assert place(events.one("i", "use")) == [23.33, 2.08]
    assert place(events.one("i", "fault")) == [50, 0]


def test_the_barge_in_reaches_from_the_callers_voice_to_silence(record, parse):
    cut = parse(timeline(read(record), None)).one("i", "cut")
    assert place(cut) == [33.47, 1.53]  # 4.016 to 4.2 s of 12 s
    assert "silent after 184 ms" in cut.attributes["title"]


def test_the_waveform_takes_its_share_of_the_axis(record, parse):
    side = np.zeros((10, 2), np.float32)
    page = parse(timeline(read(record), Peaks(6.0, (side, side))))
    assert [place(wave) for wave in page.all("svg")] == [[50], [50]]
    assert page.by_id("tracks").attributes["data-span"] == "12.000"
    longer = parse(timeline(read(record), Peaks(24.0, (side, side))))
    assert longer.by_id("tracks").attributes["data-span"] == "24.000"


@pytest.mark.parametrize("seconds", [0, 0.05, 1, 12, 61, 1800, 86_400, 600_000])
def test_the_axis_has_a_few_ticks(seconds, parse):
    ticks = parse(timeline(read({"seconds": seconds}), None)).one("div", "axis").all("span")
    assert 1 < len(ticks) <= 11
    places = [place(tick)[0] for tick in ticks]
    assert places == sorted(places)
    assert len({tick.text for tick in ticks}) == len(ticks)


def test_the_picture_is_described(record, parse):
    lanes = parse(timeline(read(record), None)).one("div", "lanes")
    assert "2 utterances" in lanes.attributes["aria-label"]
    assert "2 replies, 1 of them cut" in lanes.attributes["aria-label"]

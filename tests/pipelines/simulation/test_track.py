from __future__ import annotations

import numpy as np
import pytest

from vivavoce.pipelines.simulation.track import HESITATION, PACE, RATE, VOICE, Track, seconds
from vivavoce.pipelines.turns.heard import weight


def test_words_take_as_long_as_they_are():
    assert seconds("Two tables") == [weight("Two") * PACE, weight("tables") * PACE]
    assert seconds("") == []
    assert 0.1 < seconds("a")[0] < seconds("reservation")[0] < 1.0


def test_a_line_sounds_from_its_first_word_to_its_last():
    track = Track()
    track.say("Two tables", RATE)
    whole = track.take(4 * RATE)
    loud = np.flatnonzero(np.abs(whole) == VOICE)
    assert loud[0] == RATE
    assert loud[-1] + 1 == track.end
    assert len(loud) == pytest.approx(sum(seconds("Two tables")) * RATE, abs=2)
    assert not track.sounding


def test_how_it_is_cut_into_blocks_makes_no_difference():
    one, other = Track(), Track()
    for track in (one, other):
        track.say("Two tables for four", 1234)
        track.noise(80, 2.0)
    whole = one.take(3 * RATE)
    parts = np.concatenate([other.take(160 * n) for n in range(1, 25)])
    assert np.array_equal(whole, parts[: len(whole)])


def test_an_ellipsis_is_a_pause():
    track = Track()
    track.say("I would like ... a table", 0)
    sound = np.abs(track.take(4 * RATE)) > 0
    edges = np.flatnonzero(np.diff(sound.astype(int)))
    assert len(edges) == 3
    assert edges[1] - edges[0] == pytest.approx(HESITATION * RATE, abs=2)
    assert track.words == ["I", "would", "like", "a", "table"]


def test_lines_follow_each_other():
    track = Track()
    track.say("One moment", 0)
    end = track.end
    track.say("please", 10)
    assert track.ends[-1] > end
    assert np.all(np.abs(track.take(end)) == VOICE)


def test_words_are_found_by_where_they_end():
    track = Track()
    track.say("a table for four", 0)
    assert track.said(0, track.end) == ["a", "table", "for", "four"]
    assert track.said(track.ends[0], track.ends[2]) == ["table", "for"]
    assert track.said(track.ends[3], track.end + RATE) == []


def test_edges_are_those_to_come():
    track = Track()
    assert track.next_edge() is None
    track.say("four", 1000)
    assert track.next_edge() == 1000
    track.take(1001)
    assert track.next_edge() == track.end
    assert track.speaking_for == 1
    track.take(2 * RATE)
    assert track.next_edge() is None
    assert track.speaking_for == 0


def test_noise_ends_and_is_covered_by_a_voice():
    track = Track()
    track.noise(100, 1.0)
    track.say("four", RATE // 2)
    whole = np.abs(track.take(2 * RATE))
    assert np.all(whole[: RATE // 2] == 100)
    assert whole[RATE // 2] == VOICE
    assert np.all(whole[RATE + RATE // 2 :] == 0)

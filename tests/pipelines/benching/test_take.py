"""What is measured on a take: voice to voice, premature and lost turns, barge-in."""

from __future__ import annotations

import pytest

from vivavoce.pipelines.benching.take import Answer, Cut, Packet, Take, answer, barge_in


def sounds(*stretches, step=0.02):
    """A take with sound in each (start, end), silence packets in between."""
    packets = []
    for number in range(round(20 / step)):
        at = number * step
        loud = any(start <= at < end for start, end in stretches)
        packets.append(Packet(at, step, 4_000 if loud else 40))
    return Take(packets)


def test_the_first_sound_behind_the_last_word_counts():
    assert answer(sounds((2.5, 4)), 2.0).v2v == pytest.approx(0.5)


def test_silence_packets_and_faint_noise_are_no_answer():
    assert answer(sounds(), 2.0) == Answer(None, premature=False, lost=True)


def test_a_reply_begun_before_the_end_is_premature_and_has_no_latency():
    found = answer(sounds((1.5, 1.8), (3, 4)), 2.0)
    assert found == Answer(None, premature=True, lost=False)


def test_a_premature_reply_that_is_all_there_is_loses_the_turn_too():
    assert answer(sounds((1.0, 1.5)), 2.0) == Answer(None, premature=True, lost=True)


def test_a_reply_that_stops_is_timed_to_its_last_packet():
    found = barge_in(sounds((0, 3.2), (5, 6)), began=3.0, limit=5.5)
    assert found.stopped
    assert found.reaction == pytest.approx(0.18, abs=0.021)


def test_a_reply_that_plays_on_did_not_stop():
    assert barge_in(sounds((0, 9)), began=3.0, limit=5.0) == Cut(None, stopped=False)


def test_a_pause_between_clauses_is_not_the_stop():
    found = barge_in(sounds((0, 3.2), (3.4, 3.7)), began=3.0, limit=5.0)
    assert found.reaction == pytest.approx(0.68, abs=0.021)


def test_a_reply_that_was_over_reacts_in_no_time():
    assert barge_in(sounds((0, 2), (6, 7)), began=3.0, limit=5.0) == Cut(0.0, stopped=True)


def test_stretches_of_sound_begin_behind_real_silence():
    assert sounds((1, 2), (2.1, 3), (4, 5)).breaks() == pytest.approx([1, 4])


def test_what_was_heard_is_over_when_the_last_packet_has_played():
    take = Take([Packet(1.0, 0.5, 4_000)])
    assert take.silent_since(1.2) == 0
    assert take.silent_since(2.0) == pytest.approx(0.5)
    assert Take().silent_since(3.0) == 3.0
    assert take.last_sound() == 1.0
    assert (take.spoken(0.5), take.spoken(1.5)) == (0.5, 0)

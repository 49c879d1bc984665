import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.pipelines.benching.listening import BUFFER, Listening, goes_on, lateness
from vivavoce.pipelines.benching.take import Packet, Take


def said(*at):
    return [Packet(each, 0.02, 1000) for each in at]


def ended(at):
    return Packet(at, 0.02, 1000, goes_on=False)


def silent(at):
    return Packet(at, 0.02, 0, goes_on=False)


def test_packets_in_time_are_not_late():
    assert lateness(said(1.0, 1.02, 1.04)) == pytest.approx([0, 0, 0])


def test_packets_that_come_early_wait():
    assert lateness(said(1.0, 1.001, 1.002)) == [0, 0, 0]


def test_a_wait_in_the_middle_of_sound_is_a_hole_and_the_listener_starts_again_behind_it():
    late = lateness(said(1.0, 1.02, 1.10, 1.12, 1.13))
    assert late == pytest.approx([0, 0, 0.06, 0, 0])


def test_what_the_buffer_forgives_stays_late_until_it_is_caught_up_with():
    late = lateness(said(1.0, 1.03, 1.05, 1.06, 1.08))
    assert late == pytest.approx([0, 0.01, 0.01, 0, 0])


def test_a_wait_behind_sound_that_has_ended_is_a_pause():
    packets = [*said(1.0), ended(1.02), *said(1.24, 1.26)]
    assert lateness(packets) == pytest.approx([0, 0, 0, 0])


def test_silence_that_takes_the_place_of_sound_is_a_hole():
    packets = [*said(1.0, 1.02), silent(1.04), silent(1.06), *said(1.08, 1.10)]
    assert lateness(packets) == pytest.approx([0, 0, 0.04, 0])


def test_silence_between_sentences_is_none():
    packets = [*said(1.0), ended(1.02), silent(1.04), silent(1.30), *said(1.35)]
    assert lateness(packets) == pytest.approx([0, 0, 0])


def test_silence_alone_is_nothing():
    assert lateness([silent(1.0), silent(1.5)]) == []


@given(st.lists(st.floats(0, 0.019), min_size=2, max_size=50))
def test_jitter_that_a_buffer_forgives_makes_no_hole(jitter):
    jitter[0] = 0.0
    packets = said(*(1 + 0.02 * n + each for n, each in enumerate(jitter)))
    assert lateness(packets) == pytest.approx(jitter)
    assert max(lateness(packets)) < BUFFER


def tone(seconds, rate=24_000, hertz=220.0):
    return np.sin(np.arange(round(seconds * rate)) * (2 * np.pi * hertz / rate)) * 4_000


@pytest.mark.parametrize("cut", range(0, 480, 37))
def test_sound_that_is_cut_goes_on_wherever_it_is_cut(cut):
    pcm = tone(0.1)[cut : cut + 480].astype(np.int16)
    assert goes_on(pcm, 24_000)


@pytest.mark.parametrize("behind", [0, 1, 60, 300])
def test_sound_that_has_faded_or_stopped_does_not(behind):
    pcm = tone(0.02)
    pcm[-120:] *= np.linspace(1, 0, 120)
    assert not goes_on(np.concatenate([pcm, np.zeros(behind)]).astype(np.int16), 24_000)


def test_neither_does_silence():
    assert not goes_on(np.zeros(480, np.int16), 24_000)
    assert not goes_on(np.zeros(0, np.int16), 24_000)


def test_a_listening_take_answers_as_a_take_does():
    packets = [silent(0.5), *said(1.0, 1.02), silent(1.04), *said(2.0), silent(2.02)]
    quick, slow = Listening(), Take()
    for packet in packets:
        quick.add(packet)
        slow.packets.append(packet)
        for after in (0.0, 1.01, 3.0):
            assert quick.first_sound(after) == slow.first_sound(after)
        for now in (packet.at, packet.at + 0.7):
            assert quick.silent_since(now) == pytest.approx(slow.silent_since(now))
    assert slow.silent_since(0.2) == quick.silent_since(0.2)

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.agent.options import Limits, Listening, OptionError, Speech, Turns


def test_the_defaults_hold():
    assert Turns() == Turns()
    assert Limits().on_failure == "continue"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"delay": 0.07}, "delay=0.07.*0.08 and 1.2 s, or 2.4"),
        ({"delay": 1.3}, "delay=1.3"),
        ({"delay": "fast"}, "must be a number"),
        ({"language": "english"}, "give a code"),
        ({"language": "FR"}, "give a code"),
        ({"expect": "Marie"}, "as a tuple"),
        ({"expect": ("",)}, "as a tuple"),
        ({"expect": ("term",) * 101}, "at most 100 terms; got 101"),
    ],
)
def test_what_no_transcriber_takes_is_told(wrong, told):
    with pytest.raises(OptionError, match=told):
        Listening(**wrong)


def test_what_a_transcriber_is_told():
    listening = Listening(language="fr", expect=["Marie"], delay=2.4)
    assert listening.expect == ("Marie",)
    assert hash(listening) == hash(Listening(language="fr", expect=("Marie",), delay=2.4))


# The three silences come in order, so each one's neighbours bound it.
USUAL = Turns()
RANGES = {
    "flush_after": (0.02, 5),
    "min_silence": (0.05, USUAL.unsure_silence),
    "unsure_silence": (USUAL.min_silence, USUAL.max_silence),
    "max_silence": (USUAL.unsure_silence, 30),
    "patience": (0, 5),
    "threshold": (0, 1),
    "waste": (0, 1),
    "interrupt_after": (0.02, 3),
}


@pytest.mark.parametrize("name", RANGES)
@given(st.data())
def test_a_turn_option_within_its_range_is_taken_and_one_beyond_is_named(name, data):
    low, high = RANGES[name]
    fine = data.draw(st.floats(low, high))
    assert getattr(Turns(**{name: fine}), name) == fine
    wrong = data.draw(
        st.one_of(
            st.floats(max_value=low, exclude_max=True),
            st.floats(min_value=high, exclude_min=True),
            st.just(math.nan),
        )
    )
    with pytest.raises(OptionError) as caught:
        Turns(**{name: wrong})
    assert str(caught.value).count("\n") == 0
    assert "Turns(" in str(caught.value)
    assert "must be within" in str(caught.value)


def test_the_longest_silence_is_no_shorter_than_the_shortest():
    with pytest.raises(OptionError, match=r"Turns\(max_silence=0.4\): must be within 0.5 and 30 s"):
        Turns(min_silence=0.3, unsure_silence=0.5, max_silence=0.4)


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (Turns, {"vad": "loud"}, "choose 'silero' or 'webrtc'"),
        (Turns, {"threshold": "0.5"}, "threshold='0.5'): must be a number"),
        (Turns, {"flush_after": None}, "flush_after=None): must be a number"),
        (Turns, {"min_silence": True}, "must be a number"),
        (Turns, {"interruptible": "no"}, "must be True or False"),
        (Limits, {"tool_rounds": -1}, "within 0 and 50 rounds"),
        (Limits, {"tool_rounds": 2.5}, "must be a whole number"),
        (Limits, {"reply": 20}, "within 100 and 1e+06 characters"),
        (Limits, {"history_tokens": 5}, "within 200 and 1e+06 tokens"),
        (Limits, {"history_turns": 0}, "within 1 and 100000 turns"),
        (Limits, {"lifespan": 0}, "within 0.1 and 300 s"),
        (Speech, {"ahead": 0}, "within 1 and 16 clauses"),
        (Speech, {"longest": 99.5}, "must be a whole number"),
        (Speech, {"filler_after": -1}, "within 0 and 15 s"),
        (Limits, {"call": 0}, "within 1 and 86400 s"),
        (Limits, {"call": math.inf}, "within 1 and 86400 s"),
        (Limits, {"on_failure": "explode"}, "choose 'continue' or 'end'"),
        (Limits, {"apology": " "}, "give a sentence"),
        (Limits, {"apology": 5}, "give a sentence"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(kind, given, message):
    with pytest.raises(OptionError) as caught:
        kind(**given)
    assert message in str(caught.value)
    assert kind.__name__ in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [Turns(), Limits(), Speech()])
def test_options_are_frozen_and_take_names_only(options):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(options, dataclasses.fields(options)[0].name, 1)
    with pytest.raises(TypeError):
        type(options)(1)

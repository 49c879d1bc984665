from __future__ import annotations

import pytest

from vivavoce.agent import Agent, Listening, Turns
from vivavoce.pipelines.models.capabilities import UNKNOWN, Capabilities
from vivavoce.pipelines.models.wishes import TurnDetection, WishError, Wishes
from vivavoce.sandbox.catalog import card

OLD, NEW = "voxtral-mini-transcribe-realtime-2602", "voxtral-mini-transcribe-realtime-3-0"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"context_bias": ["term"] * 101}, "at most 100 terms; got 101"),
        ({"context_bias": "term"}, "list of words"),
        ({"delay_ms": 70}, "80 to 1200 or 2400 ms; got 70"),
        ({"delay_ms": 1201}, "80 to 1200 or 2400 ms; got 1201"),
        ({"diarize": True, "turns": True}, "not compatible with turn detection"),
        ({"diarize": True, "turns": TurnDetection()}, "not compatible with turn detection"),
        ({"language": "english"}, "two letters"),
    ],
)
def test_what_no_model_takes(given, told):
    with pytest.raises(WishError, match=told) as raised:
        Wishes(**given)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        (Wishes(diarize=True), "does not tell speakers apart live"),
        (Wishes(turns=True), "does not follow turns"),
        (Wishes(context_bias=("Marie",)), "takes no words to expect"),
        (Wishes(language="en"), "takes none as language; got en"),
    ],
)
def test_what_2602_does_not_take_by_its_card(wishes, told):
    why = wishes.refusal(OLD, Capabilities.of(card(OLD)))
    assert why is not None
    assert why.startswith(OLD)
    assert told in why
    assert "\n" not in why
    # What a card does not say is left to the server.
    assert wishes.refusal(OLD, UNKNOWN) is None


@pytest.mark.parametrize(
    "wishes",
    [
        Wishes(),
        Wishes(diarize=True, context_bias=("Marie",) * 100),
        Wishes(turns=True, language="en", delay_ms=2400),
    ],
)
def test_what_3_0_takes(wishes):
    assert wishes.refusal(NEW, Capabilities.of(card(NEW))) is None


@pytest.mark.parametrize(
    ("able", "wishes", "told"),
    [
        (Capabilities(delays_ms=((240, 960),)), Wishes(delay_ms=80), "a delay of 240 to 960 ms"),
        (Capabilities(delays_ms=()), Wishes(delay_ms=80), "takes no delay"),
        (Capabilities(languages=("en", "fr")), Wishes(language="de"), "only en, fr as language"),
        (Capabilities(realtime=False), Wishes(language="de"), "does not transcribe live"),
    ],
)
def test_limits_are_the_cards(able, wishes, told):
    assert told in str(wishes.refusal("some-model", able))


def test_what_an_agent_asks_for():
    assert Wishes.of(Agent()) == Wishes()
    listening = Listening(language="fr", expect=("pain au levain",), delay=0.24)
    agent = Agent(listening=listening, turns=Turns(detector="model"))
    assert Wishes.of(agent) == Wishes(
        turns=True, language="fr", context_bias=("pain au levain",), delay_ms=240
    )


def test_what_the_settings_say_is_for_agents_that_say_nothing():
    usual = Listening(language="de", delay=2.4)
    assert Wishes.of(Agent(), usual) == Wishes(language="de", delay_ms=2400)
    agent = Agent(listening=Listening(language="fr", expect=("Marie",)))
    wishes = Wishes.of(agent, usual)
    assert wishes == Wishes(language="fr", context_bias=("Marie",), delay_ms=2400)

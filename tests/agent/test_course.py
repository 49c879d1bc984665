"""What a call is: told by pipelines, without a line."""

from __future__ import annotations

import pytest

from vivavoce.agent import Agent
from vivavoce.agent.course import Course
from vivavoce.agent.events import (
    CallEnded,
    CallerSaid,
    HandedOff,
    KeyPressed,
    LanguageChanged,
    TransferMoved,
)
from vivavoce.agent.handoff import HandOff
from vivavoce.agent.resumption import Resumption
from vivavoce.agent.transcript import Utterance
from vivavoce.agent.transfer import Transfer


def course(**options: object) -> Course:
    return Course(Agent(**options), "c1")  # type: ignore[arg-type]


def test_time_goes_on_from_where_the_lost_server_left_it_and_stands_still_at_the_end():
    call = course()
    assert (call.now, call.resumed) == (0.0, None)
    call.go_on(Resumption(12.5, 3.0))
    assert (call.now, call.resumed) == (12.5, Resumption(12.5, 3.0))
    call._clock = lambda: 20.0
    assert call.now == 20.0
    call.emit(CallEnded(21.0, "hung up"))
    assert (call.ended, call.now, call.reason) == (True, 21.0, "hung up")


def test_after_its_end_nothing_is_noted():
    call = course(languages=["en", "fr"])
    call.emit(CallEnded(1.0, "hung up"))
    call.remember("name", "Ann")
    call.set_language("fr")
    call.pressed("1")
    call.received({})
    assert (call.memory, call.language) == ({}, "en")
    assert len(call.past) == 1


def test_keys_are_told_and_what_is_none_is_not():
    call = course()
    for key in ("5", "a", "#", "x", "12", ""):
        call.pressed(key)
    assert [event.key for event in call.past if isinstance(event, KeyPressed)] == ["5", "A", "#"]


def test_the_caller_changes_the_language():
    call = course(languages=["en", "fr"])
    said = "Bonjour, je voudrais réserver une table pour demain soir"
    assert call.would_speak(said) == "fr"
    assert call.language == "en"
    call.emit(CallerSaid(1.0, Utterance(said, 0.0, 1.0)))
    assert call.language == "fr"
    # Whoever follows learns of the language before the words that brought it.
    assert [type(event) for event in call.past] == [LanguageChanged, CallerSaid]


def test_what_is_said_to_a_question_has_to_be_looked_at():
    call = course()
    call.emit(KeyPressed(1.0, "1"))
    assert (call.questioning, call.considering) == (False, False)
    call._questions = 1
    assert call.asking
    call.emit(KeyPressed(2.0, "1"))
    assert call.considering
    assert call.questioning
    assert not call.asking


def test_asides_nest():
    call = course()
    with call.aside():
        with call.aside():
            assert call.on_hold
        assert call.on_hold
    assert not call.on_hold


@pytest.mark.parametrize(
    ("states", "joined", "over"),
    [
        (["briefing"], False, False),
        (["joined"], True, False),
        (["joined", "done"], True, True),
        (["failed"], False, True),
    ],
)
def test_a_transfer_comes_further(states, joined, over):
    call = course()
    call.transfers.append(transfer := Transfer("+33 1", "bridge", 0.0))
    for at, state in enumerate(states, 1):
        call._clock = lambda at=at: float(at)
        call.transfer_moved(state, "why" if state == states[-1] else "")
    assert (call.joined, transfer.over) == (joined, over)
    assert transfer.joined == (1.0 if "joined" in states else None)
    assert transfer.ended == (float(len(states)) if over else None)
    told = [event.transfer for event in call.past if isinstance(event, TransferMoved)]
    # Each event has the transfer as it was then.
    assert [each.state for each in told] == states
    assert transfer.why == "why"


def test_who_takes_over_brings_language_state_and_greeting():
    call = course(languages="en", state=dict)
    call.state["old"] = 1
    call.take_over(HandOff(Agent(name="desk", languages="fr", greeting="Bonjour.", state=list)))
    assert (call.agent.name, call.language, call.state) == ("desk", "fr", [])
    assert call.greeting_due
    (told,) = call.past
    assert isinstance(told, HandedOff)
    assert (told.handoff.agent, told.handoff.previous) == ("desk", "agent")

"""A reply on its way: where its clauses stand, what was heard of it, whether it asks."""

from __future__ import annotations

import numpy as np
import pytest

from vivavoce.agent.ledger import Span
from vivavoce.agent.transcript import Reply
from vivavoce.pipelines.speech import BEYOND, CLOSE, Speech
from vivavoce.pipelines.turns.playout import Clause

RATE = 1_000
THOUGHT = (Span("thinking", 1.0, 2.0),)


def loud(seconds: float) -> np.ndarray:
    return np.full(round(seconds * RATE), 9_000, np.int16)


def written(*texts: str, **options: object) -> Speech:
    """A speech of these texts, all of them cut and none synthesised."""
    speech = Speech(Reply(), **options)  # type: ignore[arg-type]
    for text in texts:
        for piece in speech.write(text, THOUGHT, 2.5):
            speech.place(piece, 3.0)
    for piece in speech.clauses.finish():
        speech.place(piece, 3.0)
    speech.ended = True
    return speech


def synthesise(clause: Clause, seconds: float = 1.0) -> None:
    clause.add(loud(seconds))
    clause.complete = True


def play(clause: Clause, seconds: float, at: float) -> None:
    """Hand samples of a clause over, the last of them at a place of the playout (s)."""
    clause.take(round(seconds * RATE))
    clause.until = round(at * RATE)


def test_clauses_stand_where_their_text_does():
    speech = written("One here. ", "  One here. And", " more.")
    assert speech.reply.generated == "One here.   One here. And more."
    assert [speech.reply.generated[a:b] for a, b in speech.places.values()] == [
        "One here.",
        "One here.",
        "And more.",
    ]
    assert [start for start, _ in speech.places.values()] == [0, 12, 22]


def test_a_clause_knows_what_it_waited_for():
    speech = Speech(Reply())
    (piece,) = speech.write("Yes, of course. ", THOUGHT, 2.5)[:1]
    speech.write("More. ", (Span("thinking", 1.0, 9.0),), 9.0)
    clause = speech.place(piece, 3.0)
    assert speech.causes[clause] == (*THOUGHT, Span("clause", 2.5, 3.0))


def test_a_guess_is_held_until_it_comes_true():
    speech = written("One here. Two here.", guess=3)
    assert all(clause.held for clause in speech.places)
    turn = (Span("endpointing", 0.0, 0.3),)
    speech.come_true(0.5, turn)
    assert speech.guess is None
    assert (speech.stopped, speech.turn_spans) == (0.5, turn)
    assert not any(clause.held for clause in speech.places)


@pytest.mark.parametrize("protected", [False, True])
def test_what_is_protected_cannot_be_cut(protected: bool):
    speech = written("One here.", protected=protected)
    assert all(clause.interruptible is not protected for clause in speech.places)
    clause = Speech(Reply(generated="Bell"), protected=protected).fill(loud(1))
    assert clause.interruptible is not protected


def test_whole_clauses_are_heard_to_their_last_character():
    speech = written("One here. Two are there. Three.")
    first, second, _ = speech.places
    assert speech.heard(RATE) == ""
    synthesise(first)
    play(first, 1.0, 1.0)
    assert speech.heard(RATE) == "One here."
    assert not speech.played
    synthesise(second)
    play(second, 0.5, 1.5)
    heard = speech.heard(RATE)
    assert heard.startswith("One here. Two")
    assert heard != "One here. Two are there."


def test_what_is_still_on_its_way_was_not_heard():
    speech = written("One here. Two here.")
    first, second = speech.places
    synthesise(first)
    synthesise(second)
    play(first, 1.0, 1.0)
    play(second, 1.0, 2.0)
    assert speech.played
    assert speech.heard(RATE) == speech.heard(RATE, 2 * RATE) == "One here. Two here."
    assert speech.heard(RATE, 1 * RATE) == "One here."
    assert speech.heard(RATE, 0) == ""


def test_a_clause_that_broke_off_is_not_heard_whole():
    speech = written("One word after another here.")
    (clause,) = speech.places
    synthesise(clause, 0.3)
    clause.broken = True
    play(clause, 0.3, 0.3)
    assert speech.heard(RATE) != speech.reply.generated


def test_a_clause_without_sound_is_passed_over():
    speech = written("One here. 😀 Two here.")
    for clause in speech.places:
        clause.complete = True
        if speech.spoken[clause].said:
            clause.add(loud(1))
            play(clause, 1.0, 1.0)
    assert speech.heard(RATE) == speech.reply.generated


def test_a_sound_is_played_and_has_its_words():
    speech = Speech(Reply(generated="The bell rings."))
    clause = speech.fill(loud(1))
    assert speech.ended
    assert not speech.played
    play(clause, 1.0, 1.0)
    assert speech.played
    assert speech.heard(RATE) == "The bell rings."


def test_it_asks_from_shortly_before_its_end():
    speech = written("Shall I book it?")
    (clause,) = speech.places
    synthesise(clause, CLOSE + 1)
    assert not speech.asks("", RATE)
    play(clause, 1.0, 1.0)
    assert speech.asks("", RATE)
    speech.ended = False  # there may be more to come
    assert not speech.asks("", RATE)


def test_it_asks_until_so_many_words_beyond_the_question():
    speech = written("Shall I? If so, say it now please.")
    assert speech.asks("Shall I? " + " ".join(["word"] * BEYOND), RATE)
    assert not speech.asks("Shall I? " + " ".join(["word"] * (BEYOND + 1)), RATE)
    assert not speech.asks("Shall I", RATE)

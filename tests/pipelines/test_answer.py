"""The answer to one turn: how long its replies grow, and what the model is told for them."""

from __future__ import annotations

from vivavoce.agent.transcript import News, Reply, Transcript, Utterance
from vivavoce.pipelines.answer import Answer
from vivavoce.pipelines.frames import CallerTurnFrame

SENTENCE = "There is room for four. "


def turn(utterance: Utterance) -> CallerTurnFrame:
    return CallerTurnFrame(utterance.text, "caller", "", utterance=utterance)


def test_a_reply_is_cut_behind_the_sentence_in_which_it_passes_its_bound():
    answer = Answer(None)
    answer.begin(200)
    bound = len(SENTENCE) + 5
    assert answer.take(SENTENCE, bound) == SENTENCE
    assert not answer.cut
    assert answer.take(SENTENCE * 3, bound) == SENTENCE.strip()
    assert answer.cut


def test_each_reply_of_it_has_the_whole_bound():
    answer = Answer(None)
    for _ in range(3):
        answer.begin(200)
        assert answer.take(SENTENCE, len(SENTENCE)) == SENTENCE
    assert not answer.cut
    assert len(answer.drafts) == 3


def test_each_reply_begins_with_an_empty_gate():
    answer = Answer(None)
    answer.begin(200)
    assert answer.gate.feed("One of") == []
    answer.begin(200)
    assert answer.gate.finish() == []


def test_of_a_guess_the_model_is_told_though_the_transcript_is_not():
    before, said = Reply("Hello.", "Hello."), Utterance("A table for four", 1.0, 2.0)
    transcript = Transcript([before])
    answer = Answer(turn(said), guess=1)
    draft = answer.begin(200)
    assert answer.told(transcript, draft) == [before, said]
    answer.committed.set()
    for entry in (said, draft):
        transcript.add(entry)
    assert answer.told(transcript, draft) == [before, said]


def test_news_stand_before_the_words_that_are_answered():
    said, news = Utterance("And?", 1.0, 2.0), News("(It is booked.)", 2.0)
    transcript = Transcript([Reply("Hello.", "Hello."), said])
    Answer(turn(said)).place(news, transcript)
    assert transcript.entries[1:] == [news, said]
    unasked = News("(It is paid.)", 3.0)
    Answer(None).place(unasked, transcript)
    assert transcript.entries[-1] is unasked

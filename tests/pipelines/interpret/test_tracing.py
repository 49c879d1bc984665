"""Tracing: from the words of a speaker to what a listener had of them."""

from __future__ import annotations

import pytest

from vivavoce.agent.segment import Segment
from vivavoce.pipelines.interpret.lagging import LaggingError
from vivavoce.pipelines.interpret.tracing import (
    Piece,
    Sounded,
    covered,
    pieces,
    score,
    spread,
    spread_of,
    word_lags,
)


def segment(
    number: int, text: str, times: tuple[float, float, float, float], translation: str = ""
) -> Segment:
    """Make a segment that was said and spoken at some times."""
    started, ended, spoken_from, spoken_to = times
    return Segment(
        number,
        "A",
        "en",
        "fr",
        text,
        started,
        ended,
        translation=translation or text,
        spoken_from=spoken_from,
        spoken_to=spoken_to,
        state="spoken",
    )


def timed(text: str, *, pace: float = 0.5, start: float = 0.0) -> list[Sounded]:
    """Say words, each as long as the others."""
    return [
        Sounded(word, start + number * pace, start + (number + 1) * pace)
        for number, word in enumerate(text.split())
    ]


def test_words_share_a_stretch_of_time_by_their_length() -> None:
    words = spread("a considerable amount", 2.0, 5.0)
    assert [word.text for word in words] == ["a", "considerable", "amount"]
    assert words[0].started == 2.0
    assert words[-1].ended == pytest.approx(5.0)
    assert words[1].ended - words[1].started > words[0].ended - words[0].started
    assert spread("", 2.0, 5.0) == ()


def test_a_words_lag_is_from_its_end_to_where_its_translation_begins() -> None:
    said = timed("one two three four")
    (piece,) = pieces([segment(1, "one two three four", (0, 2, 3.0, 5.0))], said)
    # Ends at 0.5, 1, 1.5 and 2 s; quarters of the translation begin at 3, 3.5, 4 and 4.5 s.
    assert word_lags([piece]) == [(0.5, 2.5), (1.0, 2.5), (1.5, 2.5), (2.0, 2.5)]
    spread_out = spread_of(word_lags([piece]))
    assert (spread_out.mean, spread_out.p50, spread_out.most) == (2.5, 2.5, 2.5)
    assert spread_out.to_dict()["words"] == 4


def test_words_are_found_although_some_were_understood_otherwise() -> None:
    said = timed("we sold two hundred bikes last year in Lyon")
    told = [
        segment(1, "We sold 200 bikes,", (0, 2.5, 3, 4)),
        segment(2, "last year in Leon.", (2.5, 4.5, 5, 6)),
    ]
    first, second = pieces(told, said)
    assert [word.text for word in first.source] == ["we", "sold", "two", "hundred", "bikes"]
    assert [word.text for word in second.source] == ["last", "year", "in", "Lyon"]
    assert second.first == 5


def test_without_the_speakers_times_a_segments_words_share_its_own() -> None:
    first, second = pieces(
        [
            segment(1, "good morning", (0, 1, 2, 3)),
            segment(2, "everybody", (1, 2, 3, 4)),
        ]
    )
    assert [word.text for word in first.source] == ["good", "morning"]
    assert first.source[-1].ended == pytest.approx(1.0)
    assert (second.first, second.source[0].started) == (2, 1.0)


def test_what_was_not_spoken_has_no_lag() -> None:
    unspoken = segment(1, "well", (0, 1, 2, 3))
    unspoken.spoken_from = unspoken.spoken_to = None
    assert pieces([unspoken, segment(2, "   ", (1, 2, 3, 4))]) == []
    assert covered([unspoken], ["well"]).silent == (1,)


def test_scores_are_the_mean_over_sentences_whatever_the_pieces() -> None:
    said = timed("one two. three four.")
    whole = pieces(
        [segment(1, "one two. three four.", (0, 2, 3, 5), "un deux. trois quatre.")], said
    )
    # Both sentences are 1 s long; their translations begin after 3 and 2 s: nothing came before
    # their end, so that the first word's delay is the score.
    scores = score(whole)
    assert scores.sentences == 2
    starts = [whole[0].target[0].started, whole[0].target[2].started - 1]
    assert scores.al == pytest.approx(sum(starts) / 2)
    assert scores.laal == scores.al
    assert scores.start == pytest.approx(sum(starts) / 2)
    assert score(whole, boundary="end").al > score(whole, boundary="centre").al > scores.al
    # Cut within the sentences, and sounding at the same times, it scores the same.
    cut = [
        Piece(whole[0].source[:1], whole[0].target[:1]),
        Piece(whole[0].source[1:3], whole[0].target[1:3]),
        Piece(whole[0].source[3:], whole[0].target[3:]),
    ]
    again = score(cut).to_dict()
    # Only token delay goes by the chunks in which the translation came.
    assert {**again, "atd": 0} == {**scores.to_dict(), "atd": 0}


def test_scores_of_a_speaker_who_is_followed_word_by_word() -> None:
    said = timed("one two three four.")
    told = [
        segment(number + 1, word.text, (word.started, word.ended, word.ended, word.ended + 0.5))
        for number, word in enumerate(said)
    ]
    scores = score(pieces(told, said))
    # Every word begins half a second behind its own begin.
    assert scores.al == pytest.approx(0.5)
    assert scores.start == pytest.approx(0.5)
    assert scores.end == pytest.approx(0.5)
    assert scores.to_dict()["al"] == 0.5


@pytest.mark.parametrize(
    ("texts", "lost", "doubled"),
    [
        (["one two", "three four"], (), ()),
        (["One, two", "three four!"], (), ()),
        (["one two", "four"], ("three",), ()),
        (["one two", "two three four"], (), ("two",)),
        (["three four", "one two"], ("three", "four"), ("three", "four")),
        (["one zwei", "three four"], ("two",), ("zwei",)),
    ],
)
def test_what_was_lost_or_doubled_is_told(
    texts: list[str], lost: tuple[str, ...], doubled: tuple[str, ...]
) -> None:
    told = [
        segment(number, text, (number, number + 1, number + 1, number + 2))
        for number, text in enumerate(texts, 1)
    ]
    found = covered(told, ["one", "two", "three", "four"])
    assert (sorted(found.lost), sorted(found.doubled)) == (sorted(lost), sorted(doubled))
    assert found.whole == (not lost and not doubled)


def test_segments_that_overlap_or_come_twice_are_out_of_order() -> None:
    one = segment(1, "one", (0, 1, 2, 3))
    early = segment(2, "two", (1, 2, 2.5, 4))
    assert covered([one, early], ["one", "two"]).disordered == (2,)
    again = segment(1, "two", (1, 2, 3, 4))
    assert covered([one, again], ["one", "two"]).disordered == (1,)
    in_order = segment(2, "two", (1, 2, 3, 4))
    assert covered([one, in_order], ["one", "two"]).whole


def test_where_nothing_was_translated_there_is_nothing_to_score() -> None:
    with pytest.raises(LaggingError, match="no sentence"):
        score([])
    with pytest.raises(LaggingError, match="no word"):
        spread_of([])

import json

import pytest

from vivavoce.pipelines.models.transcription.text import Segment, Transcript, Word, gather

WORDS = (Word("Good", 1.0, 1.3, "A"), Word("day.", 1.3, 1.6, "A"))
WHOLE = Transcript(
    "Good day. Bye.",
    (Segment("Good day.", 1.0, 1.6, "A", WORDS), Segment("Bye.", 2.0, 2.5, "B")),
    "en",
    "voxtral",
    3.0,
    0.01,
    ("gen-1",),
)


def test_what_is_kept_comes_back():
    assert Transcript.parse(json.loads(json.dumps(WHOLE.json()))) == WHOLE
    assert Transcript.parse(json.loads(json.dumps(Transcript("").json()))) == Transcript("")
    assert WHOLE.speakers == ("A", "B")


@pytest.mark.parametrize("data", [{}, {"text": "a"}, {**WHOLE.json(), "segments": [{"text": "a"}]}])
def test_what_is_no_transcript_is_refused(data):
    with pytest.raises(ValueError, match="no transcript"):
        Transcript.parse(data)


def test_words_become_segments():
    words = [
        Word("Where", 0.0, 0.2, "A"),
        Word("is", 0.2, 0.3, "A"),
        Word("it?", 0.3, 0.5, "A"),
        Word("There.", 0.6, 0.9, "B"),
        Word("Well,", 2.0, 2.2, "B"),
        Word("good.", 2.2, 2.6, "B"),
    ]
    found = gather(words)
    assert [(one.text, one.speaker, one.start, one.end) for one in found] == [
        ("Where is it?", "A", 0.0, 0.5),
        ("There.", "B", 0.6, 0.9),
        ("Well, good.", "B", 2.0, 2.6),
    ]
    assert [word for one in found for word in one.words] == words


def test_a_long_speech_is_cut_at_its_sentences():
    words = [Word(f"w{n}{'.' if n % 12 == 11 else ''}", n * 0.2, n * 0.2 + 0.2) for n in range(60)]
    found = gather(words)
    assert [one.text.endswith(".") for one in found] == [True] * len(found)
    assert " ".join(one.text for one in found) == " ".join(word.text for word in words)
    endless = [Word("word", n * 0.2, n * 0.2 + 0.2) for n in range(400)]
    assert max(len(one.text) for one in gather(endless)) < 220


def test_moved_and_renamed():
    moved = WHOLE.segments[0].moved(10).said_by("Ann")
    assert (moved.start, moved.words[1].end, moved.words[0].speaker) == (11.0, 11.6, "Ann")

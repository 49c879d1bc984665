from __future__ import annotations

import asyncio
import re

import numpy as np
import pytest

from vivavoce.sandbox import pcm
from vivavoce.sandbox.espeak import SpeechError
from vivavoce.sandbox.files import segments
from vivavoce.sandbox.hearing import Hearing
from vivavoce.sandbox.speaking import CHUNK, Speaker, Speaking, clauses, language_of

SENTENCES = [
    "I would like to book a table for the day after next.",
    "What is the weather going to be like this afternoon?",
    "Please send the invoice to my office address.",
    "The train to the airport leaves from platform number nine.",
    "Can you tell me when the library opens on Monday morning?",
    "She bought three apples and a loaf of bread at the market.",
    "My telephone was stolen yesterday evening near the station.",
    "We need a larger room because ten people are coming.",
    "Thank you very much, that is all I wanted to know.",
    "The doctor will see you in about twenty minutes.",
    "Is there a cheaper ticket if I travel after lunch?",
    "Could you repeat the last question more slowly, please?",
]


@pytest.fixture(scope="module")
def hearing():
    engine = Hearing()
    yield engine
    engine.close()


@pytest.fixture
async def speaking():
    voices = Speaking()
    await voices.warm()
    yield voices
    await voices.close()


async def spoken(speaking, text, speaker=None, engine=None) -> np.ndarray:
    source = speaking.stream(text, speaker or Speaker(), engine)
    chunks = [chunk async for chunk in source]
    return np.concatenate(chunks) if chunks else np.zeros(0, np.float32)


def words(text: str) -> list[str]:
    return re.sub(r"[^a-z' ]", " ", text.lower()).split()


def distance(said: list[str], heard: list[str]) -> int:
    """Levenshtein's, over words."""
    row = list(range(len(heard) + 1))
    for i, one in enumerate(said, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


async def error_rate(speaking, hearing, engine: str, female: bool) -> float:
    wrong = total = 0
    for sentence in SENTENCES:
        samples = await spoken(speaking, sentence, Speaker(female=female), engine)
        heard = [part[0] async for part in segments(pcm.resample(samples, 24_000, 16_000), hearing)]
        wrong += distance(words(sentence), words(" ".join(heard)))
        total += len(words(sentence))
    return wrong / total


@pytest.mark.needs_flite
@pytest.mark.parametrize("female", [False, True])
async def test_what_flite_says_is_heard(speaking, hearing, female):
    assert await error_rate(speaking, hearing, "flite", female) <= 0.15


async def test_what_espeak_says_is_mostly_heard(speaking, hearing):
    assert await error_rate(speaking, hearing, "espeak-ng", False) <= 0.35


@pytest.mark.parametrize(
    ("text", "language", "female"),
    [
        ("Good evening, how may I help you today?", "en-us", False),
        ("Good evening, how may I help you today?", "en-us", True),
        ("Bonjour, je voudrais une table pour deux.", "fr", True),
        ("Guten Tag, was kann ich für Sie tun?", "de", False),
        ("नमस्ते, आप कैसे हैं?", "hi", True),
    ],
)
async def test_level_edges_and_clipping(speaking, text, language, female):
    samples = await spoken(speaking, text, Speaker(language, female))
    assert samples.dtype == np.float32
    assert 24_000 < len(samples) < 24_000 * 6
    assert pcm.level(samples) == pytest.approx(-20, abs=2)
    assert np.abs(samples).max() < 0.99
    # Neither edge clicks: the first and the last half millisecond are next to nothing.
    assert np.abs(samples[:12]).max() < 0.01
    assert np.abs(samples[-12:]).max() < 0.01


async def test_chunks_are_80_ms_and_the_same_text_sounds_the_same(speaking):
    text = "The same text. Twice."
    chunks = [chunk async for chunk in speaking.stream(text, Speaker())]
    assert {len(chunk) for chunk in chunks[:-1]} == {CHUNK}
    assert 0 < len(chunks[-1]) <= CHUNK
    assert np.array_equal(np.concatenate(chunks), await spoken(speaking, text))


async def test_the_engines_leading_pause_is_cut(speaking):
    samples = await spoken(speaking, "Two.")
    loud = np.flatnonzero(np.abs(samples) > 0.01)
    assert loud[0] < 24_000 * 8 // 100


async def test_text_without_words_is_no_audio(speaking):
    for text in ("...", "😀", "[emotion=happy]", " "):
        assert len(await spoken(speaking, text)) == 0


async def test_a_listener_who_leaves_stops_the_engine(speaking):
    text = "This sentence is rather long and goes on and on. " * 600
    source = speaking.stream(text, Speaker())
    await anext(source)
    await source.aclose()
    # The voice's thread is free again: were all of it spoken, this would wait for long.
    async with asyncio.timeout(8):
        await anext(speaking.stream("Next.", Speaker()))


@pytest.mark.needs_flite
async def test_the_loop_is_not_held_while_it_speaks(speaking):
    loop = asyncio.get_running_loop()
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            gaps.append(loop.time() - before - 0.001)

    ticking = asyncio.create_task(tick())
    await spoken(speaking, " ".join(SENTENCES[:4]))
    ticking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ticking
    # The median, as on a busy machine the kernel takes its own pauses.
    assert len(gaps) > 20
    assert float(np.median(gaps)) < 0.005


async def test_without_flite_espeak_speaks_english_too(monkeypatch):
    def missing() -> None:
        raise OSError("libflite.so.1: cannot open shared object file")

    monkeypatch.setattr("vivavoce.sandbox.speaking.Flite", missing)
    voices = Speaking()
    assert voices.engines == ["espeak-ng"]
    await voices.warm()
    assert voices.worker_pid is not None
    assert pcm.level(await spoken(voices, "Hello there.")) == pytest.approx(-20, abs=2)
    await voices.close()


async def test_a_language_without_an_engine_is_told(speaking):
    speaking._espeak = None
    if speaking._flite is None:
        pytest.skip("no engine is left to try")
    with pytest.raises(SpeechError, match="espeakng-loader"):
        await spoken(speaking, "Bonjour.", Speaker("fr"))


def test_clauses_are_sentences_and_parts_of_long_ones():
    assert clauses("One. Two! Three? Four") == ["One.", "Two!", "Three?", "Four"]
    assert clauses("It costs 3.50 euros.") == ["It costs 3.50 euros."]
    assert clauses("**Bold** and _this_ 😀.") == ["Bold and this ."]
    assert clauses("[emotion=happy] Hello.") == ["Hello."]
    long = "these are many words, " * 40
    assert all(len(clause) <= 230 for clause in clauses(long))
    assert "".join(clauses(long)).count("words") == 40
    assert all(len(clause) <= 400 for clause in clauses("x" * 3000))
    assert clauses("") == []


@pytest.mark.parametrize(
    ("text", "voice", "language"),
    [
        ("Hello, how are you?", "en-gb", "en-gb"),
        ("Bonjour, je voudrais une table pour deux.", "en-us", "fr"),
        ("Hello, I would like to know what you have for us.", "fr", "en"),
        ("Oui.", "fr", "fr"),
        ("Chez Marie", "en-us", "en-us"),
        ("Hola, una mesa para dos personas por favor, gracias.", "en-us", "es"),
        ("नमस्ते", "en-us", "hi"),
        ("مرحبا", "en-us", "ar"),
        ("", "fr", "fr"),
    ],
)
def test_a_texts_language(text, voice, language):
    assert language_of(text, voice) == language


@pytest.mark.needs_flite
def test_flite_leaves_the_voice_as_it_was() -> None:
    """The voice is the process's: whoever speaks next must not meet our callback."""
    import gc

    from tests.speech import _speak_flite
    from vivavoce.sandbox.flite import Flite

    before, _ = _speak_flite("Nobody is called back.", "rms")
    engine = Flite()
    for _ in range(20):
        engine.say("One, two, three.", female=False, sink=lambda _: True)
    del engine
    gc.collect()
    after, _ = _speak_flite("Nobody is called back.", "rms")
    assert len(after) == len(before)

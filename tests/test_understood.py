"""The tests' own judge of French and Spanish speech: how often it errs."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from tests.understood import NEAR, pieces, speak, understood

SENTENCES = {
    "fr": [
        "Bonjour, je voudrais réserver une table pour deux personnes.",
        "Le train part à quinze heures trente.",
        "Le train part à seize heures trente.",
        "Merci beaucoup, au revoir.",
        "Combien coûte la chambre pour deux nuits ?",
        "Le médecin peut vous recevoir vendredi prochain.",
    ],
    "es": [
        "Buenos días, quisiera reservar una mesa para dos personas.",
        "El tren sale a las tres y media.",
        "Muchas gracias, hasta luego.",
        "No entiendo lo que usted dice.",
    ],
}


def opus(samples, rate):
    """Through Opus at 24 kb/s, as a browser sends it."""
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as out:
        stream = out.add_stream("libopus", rate=48_000, layout="mono", bit_rate=24_000)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as back:
        down = av.AudioResampler(format="s16", layout="mono", rate=16_000)
        frames = [made for frame in back.decode(audio=0) for made in down.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]), 16_000


def telephone(samples, rate):
    """At 8 kHz, in G.711's 8 bits, over a noisy line (20 dB)."""
    import soxr

    values = soxr.resample(samples, rate, 8_000).astype(float) / 32768
    noise = np.random.default_rng(1).normal(0, 0.1 * np.sqrt(np.mean(values**2)), len(values))
    law = np.log1p(255 * np.abs(values + noise)) / np.log1p(255)
    coded = np.round(np.clip(law, 0, 1) * 127) / 127
    decoded = np.sign(values + noise) * np.expm1(coded * np.log1p(255)) / 255
    return (decoded * 32767).astype(np.int16), 8_000


@pytest.mark.parametrize("line", [opus, telephone])
@pytest.mark.parametrize("language", ["fr", "es"])
def test_what_was_said_is_told_from_what_might_have_been(language, line):
    texts = SENTENCES[language]
    wrong, own, others = [], [], []
    for number, text in enumerate(texts):
        spoken = speak(text, language, female=number % 2 == 1, pace=150 + 15 * (number % 4))
        found = understood(*line(spoken.samples, spoken.rate), texts, language)
        own.append(found.distance)
        others.append(found.distance * found.margin)
        if found.text != text:
            wrong.append((text, found))
    assert not wrong
    assert max(own) < 0.8 * NEAR


def test_a_sentence_that_is_none_of_them_is_not_understood():
    spoken = speak("Il fait très beau aujourd'hui, n'est-ce pas ?", "fr")
    found = understood(spoken.samples, spoken.rate, SENTENCES["fr"])
    assert found.text == ""
    assert found.distance > 1.1 * NEAR
    assert understood(np.zeros(16_000, np.int16), 16_000, SENTENCES["fr"]).text == ""


def test_a_recording_is_cut_at_its_pauses():
    first, second = (speak(text, "fr", rate=8_000) for text in SENTENCES["fr"][3:5])
    pause = np.zeros(8_000, np.int16)
    together = np.concatenate((pause, first.samples, pause, second.samples, pause))
    found = pieces(together, 8_000, pause=0.6)
    heard = [understood(piece, 8_000, SENTENCES["fr"]).text for piece in found]
    assert heard == [first.text, second.text]


def test_words_end_where_they_are_heard():
    spoken = speak(SENTENCES["fr"][0])
    ends = [end for _word, end in spoken.words]
    assert " ".join(word for word, _end in spoken.words) == spoken.text
    assert ends == sorted(ends)
    assert ends[-1] == pytest.approx(len(spoken.samples) / spoken.rate, abs=0.4)
    assert len(set(ends)) == len(ends)

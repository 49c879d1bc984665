"""Each speaker's own voice: consent, samples, and what reaches the speech model."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import pickle
import wave
from contextlib import aclosing
from datetime import date

import numpy as np
import pytest
from rich.console import Console

from benchmarks.interpret import people as made
from benchmarks.interpret.people import Person, Synthesiser
from tests.speech import has_espeak, speak
from vivavoce.agent import Interpreter
from vivavoce.agent.settings import Settings
from vivavoce.agent.voices import Speaker, VoiceSample
from vivavoce.cli.interpret import Wanted, interpret
from vivavoce.pipelines.audio.convert import rms_dbfs
from vivavoce.pipelines.audio.wav import WavWriter
from vivavoce.pipelines.interpret.quality import RATE
from vivavoce.pipelines.interpret.speakers import Copying, Speakers
from vivavoce.pipelines.models.consent import Consent, ConsentError
from vivavoce.pipelines.models.delivery import Abilities, clones, deliver
from vivavoce.pipelines.models.failover import FailoverSpeaking
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.sample import SampleError, read_sample
from vivavoce.pipelines.models.speech import SpeechModel
from vivavoce.pipelines.models.succession import Provider

needs_espeak = pytest.mark.skipif(not has_espeak(), reason="needs espeakng-loader")

ANN = Consent("Ann Martin", date(2026, 11, 20), "on the recording")
BEN = Consent("Ben Okri", date(2026, 11, 20), "in writing")


class Model:
    """A speech model that takes samples of voices, or does not."""

    def __init__(self, samples: bool | str = True) -> None:
        self.abilities = Abilities("a model", samples=samples)


class Clock:
    """A time that is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def talks() -> dict[str, np.ndarray]:
    """Return what two people say, eleven seconds each."""
    random = np.random.default_rng(4)
    with Synthesiser() as synthesiser:
        return {
            name: made.pcm(made.talk(synthesiser, person, 11, random), random)
            for name, person in (
                ("Ann", Person("espeak", "f2", "en-us")),
                ("Ben", Person("espeak", "m3", "en-us", 0.94)),
            )
        }


def feed(speakers: Speakers, name: str, pcm: np.ndarray, speech: float = 0.9) -> None:
    for start in range(0, len(pcm), 1_600):
        speakers.feed(name, pcm[start : start + 1_600], speech)


def session(
    voice: object = "speaker", model: object = None, **more: object
) -> tuple[Speakers, Clock, list[Copying]]:
    clock, told = Clock(), []
    interpreter = Interpreter("fr", "en", voice=voice)  # type: ignore[arg-type]
    speakers = Speakers(
        interpreter,
        model or Model(),
        clock,
        changed=told.append,
        **more,  # type: ignore[arg-type]
    )
    return speakers, clock, told


@needs_espeak
def test_nobody_is_copied_who_has_not_agreed(talks) -> None:
    speakers, _, _ = session()
    feed(speakers, "Ann", talks["Ann"])
    assert speakers.voice_for("Ann", "en") is None
    assert speakers.copying("Ann") == Copying(
        "Ann", False, False, "has not agreed to it", cause="consent"
    )
    assert speakers.records == []


@needs_espeak
def test_a_speaker_is_copied_from_their_first_good_stretch_on(talks) -> None:
    speakers, _, told = session()
    speakers.agree("Ann", ANN)
    feed(speakers, "Ann", talks["Ann"][: 2 * RATE])
    assert speakers.voice_for("Ann", "en") is None
    assert "s of speech so far" in speakers.copying("Ann").why
    assert speakers.copying("Ann").cause == "short"
    feed(speakers, "Ann", talks["Ann"][2 * RATE :])
    voice = speakers.voice_for("Ann", "en")
    assert isinstance(voice, Speaker)
    assert isinstance(voice.sample, VoiceSample)
    assert voice.sample.wav is not None
    with wave.open(io.BytesIO(voice.sample.wav)) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        seconds = file.getnframes() / RATE
        level = rms_dbfs(np.frombuffer(file.readframes(file.getnframes()), np.int16))
    assert 3.0 <= seconds <= 25
    assert seconds == pytest.approx(voice.sample.seconds)
    assert -26 < level < -17
    assert [each.copied for each in told if each.agreed][-1]
    assert len(told) < 8
    # Consent is on record: who, when, how, what for; and nothing of the voice.
    (record,) = speakers.records
    assert (record["who"], record["given"], record["how"]) == (
        "Ann Martin",
        "2026-11-20",
        "on the recording",
    )
    assert "this session" in record["what_for"]
    assert record["withdrawn"] is None
    assert record["samples"][0]["seconds"] >= 3
    assert len(json.dumps(record)) < 4_000


@needs_espeak
def test_each_keeps_their_own_and_takes_it_back_at_any_time(talks) -> None:
    speakers, _, _ = session()
    for name, consent in (("Ann", ANN), ("Ben", BEN)):
        speakers.agree(name, consent)
        feed(speakers, name, talks[name])
    voices = {name: speakers.voice_for(name, "en") for name in talks}
    samples = {name: voice.sample for name, voice in voices.items() if isinstance(voice, Speaker)}
    assert [each.speaker for each in samples.values()] == ["Ann", "Ben"]
    speakers.withdraw("Ann")
    assert samples["Ann"].wav is None  # also where it is still held
    assert speakers.voice_for("Ann", "en", begins=False) is None
    assert not speakers.copying("Ann").agreed
    assert speakers.records[0]["withdrawn"]
    feed(speakers, "Ann", talks["Ann"])
    assert speakers.voice_for("Ann", "en") is None
    speakers.withdraw("Ann")
    assert speakers.voice_for("Ben", "en") == voices["Ben"]
    # Who agrees again is on record again.
    speakers.agree("Ann", ANN)
    feed(speakers, "Ann", talks["Ann"])
    assert speakers.voice_for("Ann", "en") is not None
    assert [each["speaker"] for each in speakers.records] == ["Ann", "Ben", "Ann"]
    speakers.close()
    speakers.close()
    assert samples["Ben"].wav is None
    assert speakers.voice_for("Ben", "en") is None
    feed(speakers, "Ben", talks["Ben"])
    with pytest.raises(ConsentError, match="the session is over"):
        speakers.agree("Ben", BEN)


@needs_espeak
def test_a_better_sample_waits_for_its_time_and_for_a_new_sentence(talks) -> None:
    speakers, clock, _ = session(every=30)
    speakers.agree("Ann", ANN)
    feed(speakers, "Ann", talks["Ann"][: 5 * RATE])
    assert speakers.voice_for("Ann", "en", begins=False) is None  # not within a sentence
    first = speakers.voice_for("Ann", "en")
    assert isinstance(first, Speaker)
    feed(speakers, "Ann", talks["Ann"])
    assert speakers.voice_for("Ann", "en") == first  # not so soon
    clock.now = 31
    feed(speakers, "Ann", np.zeros(1_600, np.int16), 0.0)
    assert speakers.voice_for("Ann", "en", begins=False) == first
    second = speakers.voice_for("Ann", "en")
    assert isinstance(second, Speaker)
    assert isinstance(first.sample, VoiceSample)
    assert isinstance(second.sample, VoiceSample)
    assert second.sample.seconds > first.sample.seconds
    assert len(speakers.records[0]["samples"]) == 2
    # Another language is in another sentence.
    assert speakers.voice_for("Ann", "es", begins=False) is None


@needs_espeak
def test_somebody_else_at_the_microphone_does_not_take_the_voice_over(talks) -> None:
    speakers, clock, _ = session()
    speakers.agree("Ann", ANN)
    feed(speakers, "Ann", talks["Ann"][: 6 * RATE])
    for minute in range(1, 4):
        clock.now = 60.0 * minute
        feed(speakers, "Ann", talks["Ben"])
        voice = speakers.voice_for("Ann", "en")
        assert isinstance(voice, Speaker)
        assert isinstance(voice.sample, VoiceSample)
        likeness = _likenesses(voice.sample.wav or b"", talks)
        assert likeness["Ann"] > 0.99 > likeness["Ben"]


def test_who_cannot_be_copied_is_told_why_and_it_is_logged_once(caplog) -> None:
    with caplog.at_level(logging.WARNING, "vivavoce"):
        speakers, _, _ = session(model=Model("there is no encoder"))
        speakers.agree("Ann", ANN)
        for _ in range(3):
            feed(speakers, "Ann", np.ones(RATE, np.int16))
    assert [each.message for each in caplog.records] == [
        "interpreter: nobody's own voice can be copied (there is no encoder): a neutral one speaks"
    ]
    assert speakers.copying("Ann").why == "there is no encoder"
    assert speakers.voice_for("Ann", "en") is None
    chosen, _, _ = session(voice="en_paul_neutral")
    chosen.agree("Ann", ANN)
    assert chosen.copying("Ann").why == "a voice was chosen for all"
    assert chosen.voice_for("Ann", "en") == "en_paul_neutral"


def test_a_client_tells_whether_it_takes_samples() -> None:
    able, unable = Model(), Model("no")
    assert clones(able) is True
    assert clones(unable) == "no"
    assert clones(object()) == "it is not known to take samples of voices"

    def line(*providers: Provider) -> FailoverSpeaking:
        return FailoverSpeaking(providers)

    assert clones(line(Provider("a", unable), Provider("b", able))) is True
    assert clones(line(Provider("a", able, "its own voice"))) is not True
    assert clones(line(Provider("a", unable))) == "no"


def test_a_sample_is_forgotten_everywhere_and_shown_nowhere(caplog) -> None:
    sample = VoiceSample(b"RIFFsecret", 4.0, "Ann")
    voice = Speaker("en_paul_neutral", sample=sample)
    assert "secret" not in repr(voice)
    with pytest.raises(TypeError, match="not written down"):
        pickle.dumps(sample)
    able, unable = Abilities("able"), Abilities("unable", samples="no encoder")
    assert deliver("Hi.", voice, "en", able).sample is sample
    assert deliver("Hi.", voice, "en", able).voice is None
    with caplog.at_level(logging.WARNING, "vivavoce"):
        for _ in range(2):
            assert deliver("Hi.", voice, "en", unable).voice == "en_paul_neutral"
    assert len([each for each in caplog.records if "no encoder" in each.message]) == 1
    assert deliver("Hi.", voice, "en", Abilities("able", shortest=5.0)).sample is None
    assert read_sample(sample).wav == b"RIFFsecret"
    with pytest.raises(SampleError, match=r"lasts 4\.0 s"):
        read_sample(sample, (5.0, 30.0))
    sample.forget()
    sample.forget()
    assert deliver("Hi.", voice, "en", able).voice == "en_paul_neutral"
    assert deliver("Hi.", voice, "en", able).sample is None
    with pytest.raises(SampleError, match="was withdrawn"):
        read_sample(sample)


@needs_espeak
async def test_what_reaches_the_speech_server_is_the_voice_of_who_spoke(talks, profile) -> None:
    key = profile(script={"speak": "tone"})
    http = Http()
    try:
        model = SpeechModel(http, Endpoint(key.url, key.key, "voxtral-mini-tts-2603"))
        speakers, _, _ = session(model=model)
        for name, consent in (("Ann", ANN), ("Ben", BEN)):
            speakers.agree(name, consent)
            feed(speakers, name, talks[name])

        sent: dict[str, bytes] = {}

        async def said(name: str) -> None:
            voice = speakers.voice_for(name, "en")
            if isinstance(voice, Speaker) and isinstance(voice.sample, VoiceSample):
                sent[name] = voice.sample.wav or b""
            async with aclosing(model.stream(f"I am {name}.", voice=voice, language="en")) as out:
                assert sum([len(chunk) async for chunk in out]) > 0

        await said("Ann")
        await said("Ben")
        speakers.withdraw("Ben")
        await said("Ben")
        await said("Cid")
    finally:
        await http.close()
    bodies = [each["body"] for each in key.report["bodies"]]
    assert [body["input"][5:8] for body in bodies] == ["Ann", "Ben", "Ben", "Cid"]
    for body, (name, wav) in zip(bodies[:2], sent.items(), strict=True):
        assert "voice_id" not in body
        whole = base64.b64encode(wav).decode()
        digest = hashlib.sha256(whole.encode()).hexdigest()[:16]
        assert body["ref_audio"] == f"<{len(whole)} characters, SHA-256 {digest}>"
        # It is a part of what that person said, louder or less loud, and of nobody else.
        likeness = _likenesses(wav, talks)
        assert likeness[name] > 0.99
        assert min(likeness.values()) < 0.8
    for body in bodies[2:]:
        assert "ref_audio" not in body
        assert body["voice_id"] == "en_paul_neutral"


def _likenesses(wav: bytes, talks: dict[str, np.ndarray]) -> dict[str, float]:
    """Return how alike half a second of a sample is to what each has said."""
    with wave.open(io.BytesIO(wav)) as file:
        sample = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)
    part = sample[RATE // 2 : RATE]
    return {name: _likeness(talk.astype(float), part) for name, talk in talks.items()}


def _likeness(whole: np.ndarray, part: np.ndarray) -> float:
    """Return how alike a part is to the place in a whole that is most like it."""
    size = len(whole) + len(part)
    found = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size)), size)
    found = found[: len(whole) - len(part)]
    sums = np.concatenate([[0.0], np.cumsum(whole**2)])
    energy = (sums[len(part) :] - sums[: -len(part)])[: len(found)]
    return float(np.max(found / np.sqrt(energy * np.sum(part**2) + 1)))


@pytest.mark.needs_flite
async def test_a_session_goes_over_to_the_speakers_own_voice(profile, tmp_path) -> None:
    sentences = [
        "Good morning, everybody, and thank you for coming.",
        "Today I would like to speak about bread.",
        "The oldest bread was baked more than ten thousand years ago.",
        "Water, flour and time are all that it takes.",
        "Thank you very much for your attention this morning.",
    ]
    talk = tmp_path / "talk.wav"
    gap = np.zeros(RATE // 2, np.int16)
    parts = [part for text in sentences for part in (speak(text, RATE), gap)]
    writer = WavWriter(talk, RATE, 1)
    writer.write(np.concatenate(parts))
    writer.close()
    key = profile(script={"hear": sentences, "speak": "tone"})
    wanted = Wanted(talk, transcript=tmp_path / "talk.json", consent="Ann, aloud", fast=True)
    ended = await interpret(
        Interpreter("en", "fr", voice="speaker"),
        Settings(models="sandbox", sandbox_url=key.url, sandbox_key=key.key),
        Console(file=io.StringIO()),
        wanted,
    )
    voices = [segment.voice for segment in ended.call.transcript.segments]
    assert voices[0] == ""  # the neutral one, until enough is heard
    assert voices[-1] == "speaker"
    asked = [each["body"] for each in key.report["bodies"] if "input" in each["body"]]
    copied = ["ref_audio" in body for body in asked]
    assert not copied[0]
    assert copied[-1]
    assert copied == sorted(copied)  # and it stays so
    assert all(("voice_id" in body) != ("ref_audio" in body) for body in asked)
    record = (tmp_path / "talk.json").read_text()
    assert "ref_audio" not in record
    (copied_from,) = json.loads(record)["copies"]
    assert (copied_from["who"], copied_from["how"]) == ("Ann", "aloud")
    assert len(copied_from["samples"]) >= 1

"""Voxtral 3's realtime session: its fields and its turn events."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mistralai.client.models import AudioFormat, TurnDetectionConfig
from mistralai.extra.exceptions import RealtimeTranscriptionWSError

from tests.sandbox.conftest import Ears
from vivavoce.sandbox import pcm
from vivavoce.sandbox.fields import Fields, Refused
from vivavoce.sandbox.given import ProfileError
from vivavoce.sandbox.profile import Profile
from vivavoce.sandbox.segment import SHORTEST
from vivavoce.sandbox.turns import Settings, Turns, TurnsError, stands

MODEL = "voxtral-mini-transcribe-realtime-3-0"
OLD = "voxtral-mini-transcribe-realtime-2602"
FRAME = 320


def voice(seconds: float) -> np.ndarray:
    """A tone whose first and last sample are voiced, at 16 kHz."""
    return np.sign(np.sin(np.arange(round(seconds * 16_000)) / 9) + 1e-9).astype(np.float32) * 0.1


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * 16_000), np.float32)


# -- the settings


def test_nothing_said_is_the_documented_defaults():
    assert Settings.parse({}).json() == {
        "start_threshold": 0.5,
        "eager_end_threshold": 0.5,
        "end_threshold": 0.33,
        "min_silence_ms": 500,
        "end_timeout_ms": 3000,
    }


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("on", "must be an object"),
        ({"threshold": 0.5}, "unknown threshold"),
        ({"start_threshold": 1.5}, "from 0 to 1"),
        ({"start_threshold": True}, "from 0 to 1"),
        ({"end_threshold": math.nan}, "from 0 to 1"),
        ({"min_silence_ms": -1}, "at least 0"),
        ({"min_silence_ms": None}, "at least 0"),
        ({"min_silence_ms": 100.5}, "whole number"),
        ({"start_threshold": 0.4}, "start_threshold must be at least"),
        ({"end_threshold": 0.5}, "greater than end_threshold"),
        ({"end_timeout_ms": 400}, "end_timeout_ms must be at least"),
    ],
)
def test_settings_that_make_no_sense_are_told(given, why):
    with pytest.raises(TurnsError, match=why):
        Settings.parse(given)


def test_edges_of_the_constraints_are_taken():
    Settings.parse({"min_silence_ms": 3000})
    Settings.parse({"start_threshold": 0.34, "eager_end_threshold": 0.34})
    assert Settings.parse({"end_timeout_ms": None}).end_timeout_ms is None


@pytest.mark.parametrize(
    ("text", "can"),
    [
        ("A table for four, please.", True),
        ("I'd like a table for", False),
        ("I'd like a table and.", False),
        ("Um,", False),
        ("Yes, it is.", True),
        ("Where are you from?", True),
        ("", None),
        ("...", None),
    ],
)
def test_words_that_can_stand(text, can):
    assert stands(text) is can


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"turn_detection": {}, "diarize": True}, "^Diarization is not compatible with turn det"),
        ({"speaker_references": {"ann": "AAAA"}}, "requires diarize"),
        ({"speaker_references": {"ann": "%"}, "diarize": True}, "'ann' is not valid base64"),
        ({"speaker_references": dict.fromkeys("abcdefghi", ""), "diarize": True}, "at most 8"),
        ({"language": "english"}, "ISO 639-1"),
        ({"context_bias": "pain"}, "list of words"),
        ({"context_bias": ["a"] * 101}, "at most 100"),
        ({"diarize": 1}, "true or false"),
        ({"turn_detection": {"min_silence_ms": 9000}}, "end_timeout_ms"),
        ([], "session object"),
    ],
)
def test_fields_that_are_refused(given, why):
    with pytest.raises(Refused, match=why):
        Fields().updated(given, MODEL)


def test_what_conflicts_is_refused_also_when_it_comes_later():
    fields = Fields().updated({"turn_detection": {}}, MODEL)
    with pytest.raises(Refused, match="Diarization"):
        fields.updated({"diarize": True}, MODEL)
    assert fields.updated({"diarize": False, "language": "fr"}, MODEL).language == "fr"


@pytest.mark.parametrize(
    "field", ["language", "context_bias", "diarize", "speaker_references", "turn_detection"]
)
def test_2602_takes_none_of_them(field):
    with pytest.raises(Refused, match=f"{field} is not supported by {OLD}"):
        Fields().updated({field: {}}, OLD)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"done": "never"}, "after, before, none"),
        ({"eager_end_ms": -1}, "at least 0"),
        ({"end_ms": "soon"}, "at least 0"),
        ({"eager_end_ms": None}, "at least 0"),
        ({"eager": 1}, "known: done, eager_end_ms, end_ms"),
    ],
)
def test_a_plan_that_makes_no_sense_is_told(given, why):
    with pytest.raises(ProfileError, match=why):
        Profile.parse("k", {"turns": given})


# -- the turns, frame by frame


def run(frames, patience=(0.15, 0.5), **settings):
    """Feed (length in frames of 20 ms, likelihood) pairs; give (kind, ms, reason) triples."""
    turns = Turns(Settings.parse(settings), 3 * FRAME)
    events, at = [], 0
    for count, likelihood in frames:
        for _ in range(count):
            events += turns.push(at, at + FRAME, likelihood, patience)
            at += FRAME
    return [(event.kind, event.at / 16, event.reason) for event in events]


def test_a_turn_starts_seems_over_and_is_over():
    assert run([(10, 0), (25, 0.99), (60, 0)]) == [
        ("start", 260, None),
        ("eager_end", 850, None),
        ("end", 1200, "threshold"),
    ]


def test_a_turn_that_goes_on_is_resumed():
    assert run([(25, 0.99), (10, 0), (20, 0.99), (60, 0)]) == [
        ("start", 60, None),
        ("eager_end", 650, None),
        ("resume", 760, None),
        ("eager_end", 1250, None),
        ("end", 1600, "threshold"),
    ]


def test_words_that_cannot_stand_are_waited_for_until_the_time_out():
    never = (math.inf, math.inf)
    assert run([(25, 0.99), (200, 0)], never) == [("start", 60, None), ("end", 3500, "timeout")]
    assert run([(25, 0.99), (400, 0)], never, end_timeout_ms=None) == [("start", 60, None)]


def test_a_click_is_no_turn_and_does_not_prolong_one():
    assert run([(2, 0.99), (50, 0)]) == []
    assert run([(50, 0.8), (50, 0)]) == []  # the onset of a beep: never sure
    clicked = run([(25, 0.99), (15, 0), (1, 0.99), (60, 0)])
    assert clicked[-1] == ("end", 1000, "threshold")


def test_the_thresholds_move_the_ends():
    quick = Settings.parse({"min_silence_ms": 100})
    assert quick.patience(stands=True)[0] == pytest.approx(0.15)
    assert quick.patience(stands=True)[1] == pytest.approx(0.24, abs=0.01)
    eager = Settings.parse({"start_threshold": 0.9, "eager_end_threshold": 0.8})
    assert eager.patience(stands=True)[0] < 0.06
    assert Settings.parse({}).patience(stands=True)[1] == 0.5  # min_silence_ms
    assert Settings.parse({}).patience(stands=None)[1] == pytest.approx(0.8, abs=0.01)
    assert min(Settings.parse({}).patience(stands=False)) > 3
    assert Settings.parse({"end_threshold": 0}).patience(stands=True)[1] == math.inf


@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.sampled_from([0.0, 0.4, 0.8, 0.99])),
        max_size=12,
    ),
    st.sampled_from([(0.15, 0.5), (0.0, 0.0), (0.5, 0.2), (math.inf, math.inf), (0.3, math.inf)]),
)
def test_events_come_in_an_order_that_makes_sense(frames, patience):
    allowed = {
        None: {"start"},
        "start": {"eager_end", "end"},
        "eager_end": {"resume", "end"},
        "resume": {"eager_end", "end"},
        "end": {"start"},
    }
    before, at = None, -1.0
    for kind, when, reason in run(frames, patience):
        assert kind in allowed[before]
        assert when >= at
        assert (reason is not None) == (kind == "end")
        before, at = kind, when


def test_words_that_become_known_late_end_the_turn_then_and_not_before():
    turns = Turns(Settings.parse({}), SHORTEST)
    at, events = 0, []
    for number in range(80):
        patience = (6.0, 9.0) if number < 60 else (0.15, 0.5)
        events += turns.push(at, at + 512, 0.99 if number < 10 else 0.0, patience)
        at += 512
    # They showed that it was over long ago: no eager end behind the fact.
    assert [(event.kind, event.at) for event in events] == [
        ("start", SHORTEST),
        ("end", 60 * 512),
    ]


# -- over the wire, with the unmodified SDK


@pytest.fixture
async def listening(client):
    """A factory: a Voxtral 3 session through the SDK; an unknown event fails."""
    opened = []

    async def make(*, model=MODEL, turn_detection=None, profile=None, **fields):
        sdk = await client(**(profile or {}))
        connection = await sdk.audio.realtime.connect(
            model,
            audio_format=AudioFormat(encoding="pcm_s16le", sample_rate=16_000),
            turn_detection=turn_detection,
            **fields,
        )
        ears = Ears(connection)
        ears.sdk = sdk
        opened.append(ears)
        return ears

    yield make
    for ears in opened:
        await ears.connection.close()
        await ears._source.aclose()


def told(ears) -> list[str]:
    return [event.type for event in ears.events if not event.type.startswith("session.")]


@pytest.mark.parametrize("model", [MODEL, MODEL.removesuffix("-0")])
async def test_the_session_shows_what_was_set(listening, model):
    ears = await listening(
        model=model,
        turn_detection=TurnDetectionConfig(min_silence_ms=300),
        language="en",
        context_bias=["levain"],
        target_streaming_delay_ms=240,
    )
    session = (await ears.next("session.updated")).session
    assert session.model == model
    assert session.turn_detection.min_silence_ms == 300
    assert session.turn_detection.end_timeout_ms == 3000
    assert (session.language, session.context_bias) == ("en", ["levain"])
    assert session.target_streaming_delay_ms == 240


async def test_without_turn_detection_there_are_no_turns(listening):
    ears = await listening(profile={"script": {"hear": ["hello"]}}, language="en")
    await ears.feed(np.concatenate([voice(0.6), silence(4)]), 16_000)
    done = await ears.flush()
    assert (done.text, done.language) == ("hello", "en")
    assert told(ears) == ["transcription.text.delta", "transcription.done"]


async def test_settings_lock_and_conflicts_are_told_and_leave_the_session_open(listening):
    ears = await listening(turn_detection={}, diarize=True)
    error = (await ears.next("error")).error
    assert (error.message, error.code) == (
        "Diarization is not compatible with turn detection",
        1500,
    )
    await ears.connection.update_session(turn_detection={})
    await ears.next("session.updated")
    await ears.feed(silence(0.1), 16_000)
    await ears.connection.update_session(turn_detection={"min_silence_ms": 200})
    locked = (await ears.next("error")).error.message
    assert locked == "Session fields cannot be changed after audio has started"
    assert (await ears.flush()).text == ""


async def test_2602_refuses_turn_detection(listening):
    ears = await listening(model=OLD, turn_detection={})
    assert "turn_detection is not supported" in (await ears.next("error")).error.message


async def test_a_fourth_generation_is_not_known(listening):
    with pytest.raises(RealtimeTranscriptionWSError, match="Invalid model"):
        await listening(model="voxtral-mini-transcribe-realtime-4-0")


ORDERS = {
    "after": ["turn.end", "transcription.done"],
    "before": ["transcription.done", "turn.end"],
    "none": ["turn.end"],
}


@pytest.mark.parametrize("chunk_s", [0.02, 0.1, 4])
@pytest.mark.parametrize("done", ORDERS)
async def test_scripted_turns_are_timed_by_the_audio(listening, done, chunk_s):
    ears = await listening(
        turn_detection={},
        profile={
            "script": {"hear": ["A table.", "For four."]},
            "latency": {"hear_delay_ms": 0, "hear_word_ms": 100},
            "turns": {"done": done, "eager_end_ms": 120, "end_ms": 430},
        },
    )
    # 0.5 s, voice to 1.1 s, a pause to 1.4 s, voice to 2.0 s, the end; another to 4.5 s.
    audio = [silence(0.5), voice(0.6), silence(0.3), voice(0.6), silence(2)]
    await ears.feed(np.concatenate([*audio, voice(0.5), silence(1)]), 16_000, chunk_s)
    await ears.connection.flush_audio()
    for _ in range(1 if done == "none" else 3):  # two turns' own, and the flush's
        await ears.next("transcription.done")
    turns = [(e.type, e.time_s) for e in ears.events if e.type.startswith("turn.")]
    assert turns == [
        ("turn.start", pytest.approx(0.56)),
        ("turn.eager_end", pytest.approx(1.22)),
        ("turn.resume", pytest.approx(1.46)),
        ("turn.eager_end", pytest.approx(2.12)),
        ("turn.end", pytest.approx(2.43)),
        ("turn.start", pytest.approx(4.06)),
        ("turn.eager_end", pytest.approx(4.62)),
        ("turn.end", pytest.approx(4.93)),
    ]
    ends = [e for e in ears.events if e.type == "turn.end"]
    assert {e.end_reason for e in ends} == {"threshold"}
    words = [kind for kind in told(ears) if kind in ("turn.end", "transcription.done")]
    flushed = ["transcription.done"]
    assert words == ORDERS[done] * 2 + flushed
    texts = [e.text for e in ears.events if e.type == "transcription.done" and e.text]
    assert texts == (["A table.", "For four."] if done != "none" else ["A table. For four."])
    assert ears.deltas().replace(" ", "") == "Atable.Forfour."


async def test_a_script_that_cannot_stand_ends_by_time_out(listening):
    words = [["a", 0.2], ["table", 0.3], ["for", 0.5], ["four", 2.0]]
    ears = await listening(
        turn_detection={"end_timeout_ms": 1000}, profile={"script": {"hear": [words]}}
    )
    await ears.feed(np.concatenate([voice(0.5), silence(1.2), voice(0.5)]), 16_000)
    end = await ears.next("turn.end")
    assert (end.time_s, end.end_reason) == (pytest.approx(1.5), "timeout")
    assert "turn.eager_end" not in told(ears)
    assert (await ears.next("transcription.done")).text == "a table for"
    await ears.feed(silence(1.0), 16_000)
    assert (await ears.next("turn.end")).end_reason == "threshold"
    assert (await ears.next("transcription.done")).text == "four"


async def test_faults_strike_the_texts_that_nobody_asked_for(listening):
    ears = await listening(
        turn_detection={},
        profile={
            "script": {"hear": ["One.", "Two."]},
            "faults": {"hear": [{"kind": "lost_done", "on": 1}]},
        },
    )
    for _ in range(2):
        await ears.feed(np.concatenate([voice(0.5), silence(1)]), 16_000)
    assert (await ears.next("transcription.done")).text == "Two."
    assert told(ears).count("turn.end") == 2
    assert ears.sdk.sandbox_key.report["turns"]["hear"] == 2


async def test_a_flush_on_an_eager_end_leaves_nothing_for_the_end(listening):
    ears = await listening(turn_detection={}, profile={"script": {"hear": ["One.", "Two."]}})
    await ears.feed(np.concatenate([voice(0.5), silence(0.3)]), 16_000)
    await ears.next("turn.eager_end")
    assert (await ears.flush()).text == "One."
    await ears.feed(silence(0.5), 16_000)
    await ears.next("turn.end")
    assert (await ears.next("transcription.done")).text == ""
    assert ears.sdk.sandbox_key.report["turns"]["hear"] == 1


async def speak(ears, say, text: str, still: float) -> float:
    """Say a text and be still; give where the last voiced sample was (s)."""
    speech = pcm.resample(await say(ears.sdk, text), 24_000, 16_000)
    ended = np.flatnonzero(np.abs(speech) > 0.01)[-1] / 16_000
    audio = np.concatenate([speech, silence(still)])
    for start in range(0, len(audio), 1600):
        await ears.feed(audio[start : start + 1600], 16_000)
        # About real time until the words behind the pause are known: they are judged.
        await asyncio.sleep(0.08 if start < (ended + 0.6) * 16_000 else 0)
    return ended


async def test_real_speech_is_followed(listening, say):
    ears = await listening(turn_detection={})
    ended = await speak(ears, say, "What time do you open tomorrow?", 1.5)
    assert (await ears.next("turn.start")).time_s < 0.6
    eager = await ears.next("turn.eager_end")
    assert ended < eager.time_s < ended + 0.7
    end = await ears.next("turn.end")
    assert (end.end_reason, ended + 0.3 < end.time_s < ended + 1.0) == ("threshold", True)
    done = await ears.next("transcription.done")
    assert done.text.lower() == "what time do you open tomorrow?"
    assert ears.deltas() == done.text
    assert (await ears.flush()).text == ""


async def test_an_open_sentence_is_waited_for(listening, say):
    ears = await listening(turn_detection={"end_timeout_ms": 2000})
    ended = await speak(ears, say, "I would like to book a table and", 2.5)
    end = await ears.next("turn.end")
    assert end.end_reason == "timeout"
    assert end.time_s == pytest.approx(ended + 2.0, abs=0.3)
    assert (await ears.next("transcription.done")).text.lower().rstrip(".").endswith(" and")


async def test_noise_takes_no_turn(listening):
    ears = await listening(turn_detection={})
    noise = np.random.default_rng(1).normal(0, 0.02, 48_000).astype(np.float32)
    await ears.feed(noise, 16_000)
    await ears.feed(pcm.tone(1.0, 16_000), 16_000)
    await ears.flush()
    assert told(ears) == ["transcription.done"]


async def test_one_speaker_is_told_where_speakers_are_asked_for(listening):
    ears = await listening(diarize=True, profile={"script": {"hear": ["hello"]}})
    assert (await ears.next("session.updated")).session.diarize
    await ears.feed(voice(0.5), 16_000)
    done = await ears.flush()
    assert [s.speaker_id for s in done.segments] == ["speaker_0"]
    (segment,) = [e for e in ears.events if e.type == "transcription.segment"]
    assert (segment.text, segment.speaker_id) == ("hello", "speaker_0")


async def test_the_card_tells_what_it_can(client):
    sdk = await client()
    cards = {card.id: card for card in (await sdk.models.list_async()).data}
    can = cards[MODEL].audio_transcription_capabilities
    assert (can.turn_detection, can.context_bias, can.diarization) == (True, True, True)
    assert (can.modes, can.languages) == (["realtime"], ["en"])
    assert cards[MODEL].capabilities.audio_transcription_realtime
    assert cards[OLD].audio_transcription_capabilities.turn_detection is False
    alias = await sdk.models.retrieve_async(model_id=MODEL.removesuffix("-0"))
    assert alias.audio_transcription_capabilities.turn_detection

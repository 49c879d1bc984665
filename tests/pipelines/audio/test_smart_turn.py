"""smart-turn: the spectrogram against pipecat's, and the model on speech."""

import asyncio
import os
import sys
import threading

import numpy as np
import pytest

from tests.speech import speak
from vivavoce.pipelines.audio import smart_turn
from vivavoce.pipelines.audio.convert import to_float32
from vivavoce.pipelines.audio.smart_turn import SPAN, SmartTurn, features
from vivavoce.pipelines.audio.weights import ModelFileError


@pytest.fixture(scope="module")
def reference():
    from pipecat.audio.turn.smart_turn._whisper_features import compute_whisper_log_mel_features

    return lambda audio: compute_whisper_log_mel_features(
        np.pad(audio[-SPAN:], (SPAN - min(audio.size, SPAN), 0))
    )


@pytest.fixture(scope="module")
def model():
    return SmartTurn()


def sounds():
    random = np.random.default_rng(11)
    noise = random.standard_normal(SPAN + 5_000).astype(np.float32)
    ramp = np.sin(np.arange(SPAN, dtype=np.float32) ** 2 * 1e-5) * np.linspace(0, 0.9, SPAN)
    yield "noise, more than 8 s", noise * np.float32(0.1)
    yield "noise, exactly 8 s", noise[:SPAN]
    yield "one sample short", noise[: SPAN - 1]
    yield "sweep", ramp.astype(np.float32)
    yield "quiet", noise[:30_000] * np.float32(1e-4)
    yield "offset", np.full(20_000, 0.3, np.float32)
    yield "silence", np.zeros(16_000, np.float32)
    yield "one sample", np.array([0.5], np.float32)
    for count in (159, 160, 161, 199, 200, 201, 400, 601, 1_000):
        yield f"{count} samples", noise[:count]


@pytest.mark.parametrize(("name", "audio"), list(sounds()))
def test_the_spectrogram_is_pipecats(reference, name, audio):
    ours = features(audio)
    assert ours.shape == (80, 800)
    assert ours.dtype == np.float32
    assert np.abs(ours - reference(audio)).max() < 1e-3, name


def test_the_spectrogram_of_speech_is_pipecats(reference):
    for text in ("I would like to book a table for two people.", "Yes."):
        audio = to_float32(speak(text))
        assert np.abs(features(audio) - reference(audio)).max() < 1e-3


def test_the_answer_is_pipecats(model):
    from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

    theirs = LocalSmartTurnAnalyzerV3(sample_rate=16_000)
    audio = to_float32(speak("I would like to book a table for two people."))
    for part in (audio, audio[: audio.size // 2]):
        expected = theirs._predict_endpoint(part)["probability"]
        # The model's weights are int8: where a value lies on the edge between two steps, a
        # difference of 1e-6 in the spectrogram moves the answer by a few hundredths.
        assert model.probability(part) == pytest.approx(expected, abs=0.06)


def test_the_same_spectrogram_gets_the_same_answer(model, reference):
    from pipecat.audio.turn.smart_turn.local_smart_turn_v3 import LocalSmartTurnAnalyzerV3

    theirs = LocalSmartTurnAnalyzerV3(sample_rate=16_000)
    audio = to_float32(speak("I would like to book a table for two people."))
    expected = theirs._predict_endpoint(audio)["probability"]
    seen = reference(audio).astype(np.float32)[None]
    (complete,) = model._session.run(None, {"input_features": seen})
    assert float(complete[0, 0]) == pytest.approx(expected, abs=1e-3)


@pytest.mark.needs_flite
def test_finished_sentences_sound_more_finished_than_cut_ones(model):
    done, cut = [], []
    for text in (
        "I would like to book a table for two people.",
        "What is the weather in Paris today?",
        "Please cancel my order.",
        "Could you tell me how long it takes to get there by bus?",
        "No, thank you, that is all.",
    ):
        audio = speak(text, voice="rms")
        done.append(model.probability(np.concatenate((audio, np.zeros(3_200, np.int16)))))
        cut.append(model.probability(audio[: int(audio.size * 0.55)]))
    assert np.median(done) > 0.5 > np.median(cut)


def test_int16_and_float_get_the_same_answer(model):
    audio = (np.random.default_rng(5).standard_normal(20_000) * 3000).astype(np.int16)
    assert model.probability(audio) == pytest.approx(model.probability(to_float32(audio)), abs=1e-6)


async def test_asking_leaves_the_loop_free_and_copies_the_audio(model):
    audio = np.random.default_rng(6).standard_normal(SPAN).astype(np.float32)
    expected = model.probability(audio.copy())
    turns = 0
    asking = asyncio.ensure_future(model.ask(audio, within=30))
    await asyncio.sleep(0)
    audio[:] = 0.0  # what a ring buffer would do
    while not asking.done():
        turns += 1
        await asyncio.sleep(0.002)
    assert await asking == expected
    assert turns > 3


async def test_all_calls_share_one_worker(model):
    audio = np.zeros(1_600, np.float32)
    await asyncio.gather(*(SmartTurn().ask(audio, within=30) for _ in range(3)))
    workers = [t for t in threading.enumerate() if t.name.startswith("smart-turn")]
    assert len(workers) == 1
    assert SmartTurn()._session is model._session


@pytest.mark.skipif(sys.platform != "linux", reason="priorities are a process's elsewhere")
async def test_the_model_stands_back_behind_the_loop(model):
    await model.ask(np.zeros(16_000, np.int16), within=30)
    loop = asyncio.get_running_loop()
    worker = smart_turn._shared_worker()
    niceness = [os.getpriority(os.PRIO_PROCESS, 0)]
    niceness.append(
        await loop.run_in_executor(
            worker, lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        )
    )
    assert niceness[1] == min(niceness[0] + smart_turn.NICE, 19)


async def test_a_late_answer_is_a_timeout_and_the_worker_lives_on(model):
    audio = np.zeros(1_600, np.float32)
    with pytest.raises(TimeoutError):
        await model.ask(audio, within=0.001)
    assert 0.0 <= await model.ask(audio, within=30) <= 1.0


async def test_cancelling_withdraws_a_question_not_begun(model, monkeypatch):
    gate, asked = threading.Event(), []
    monkeypatch.setattr(smart_turn, "features", lambda audio: asked.append(1) or features(audio))
    blocker = smart_turn._shared_worker().submit(gate.wait, 5)
    asking = asyncio.ensure_future(model.ask(np.zeros(1_600, np.float32)))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    gate.set()
    await asyncio.wrap_future(blocker)
    assert 0.0 <= await model.ask(np.zeros(1_600, np.float32), within=30) <= 1.0
    assert asked == [1]


def test_wrong_input_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="at least one sample"):
        model.probability(np.zeros(0, np.float32))
    with pytest.raises(ValueError, match="mono"):
        model.probability(np.zeros((100, 2), np.float32))
    with pytest.raises(ModelFileError, match=r"no model file .*gone\.onnx"):
        SmartTurn(tmp_path / "gone.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(ModelFileError, match=r"broken\.onnx cannot be loaded"):
        SmartTurn(broken)

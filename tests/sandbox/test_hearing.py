from __future__ import annotations

import asyncio
import importlib.util

import numpy as np
import pytest

from vivavoce.sandbox import hearing as module
from vivavoce.sandbox import pcm
from vivavoce.sandbox.hearing import EngineMissingError, Hearing
from vivavoce.sandbox.speaking import Speaker, Speaking


@pytest.fixture(scope="module")
def hearing():
    engine = Hearing()
    yield engine
    engine.close()


async def speech(text: str, *, female: bool = False) -> np.ndarray:
    speaking = Speaking()
    chunks = [c async for c in speaking.stream(text, Speaker(female=female))]
    await speaking.close()
    return pcm.resample(np.concatenate(chunks), 24_000, 16_000)


async def test_decodes_at_once_do_not_mix(hearing):
    texts = ["What time do you open tomorrow?", "Thank you very much.", "Where is the station?"] * 3
    clips = [await speech(text) for text in texts[:3]] * 3
    alone = [await hearing.decode(clip, urgent=True).text for clip in clips[:3]] * 3
    jobs = [hearing.decode(clip, urgent=bool(n % 2)) for n, clip in enumerate(clips)]
    assert [await job.text for job in jobs] == alone


async def test_finals_go_before_partials_and_cancelled_ones_are_skipped(hearing):
    clip = await speech("Where is the station?")
    order: list[str] = []
    running = hearing.decode(clip, urgent=True)
    jobs = {
        "partial": hearing.decode(clip, urgent=False),
        "dropped": hearing.decode(clip, urgent=False),
        "final": hearing.decode(clip, urgent=True),
    }
    for name, job in jobs.items():
        job.text.add_done_callback(lambda _, name=name: order.append(name))
    jobs["dropped"].cancel()
    await running.text
    await jobs["partial"].text
    await asyncio.sleep(0)
    assert order == ["dropped", "final", "partial"]
    assert hearing.waiting == 0


async def test_noise_without_words_has_no_text(hearing):
    noise = np.random.default_rng(1).normal(0, 0.01, 16_000).astype(np.float32)
    for clip in (np.zeros(16_000, np.float32), noise):
        assert await hearing.decode(clip, urgent=True).text == ""


async def test_speech_is_probable_and_silence_is_not(hearing):
    clip = await speech("Where is the station?")
    probability = hearing.probability()
    spoken = [probability(clip[i : i + 512]) for i in range(0, len(clip) - 511, 512)]
    assert max(spoken) > 0.95
    assert np.mean(np.array(spoken) > 0.5) > 0.6
    quiet = hearing.probability()
    assert max(quiet(np.zeros(512, np.float32)) for _ in range(60)) < 0.3


async def test_a_closed_recogniser_says_so():
    engine = Hearing()
    engine.close()
    engine.close()
    with pytest.raises(RuntimeError, match="closed"):
        engine.decode(np.zeros(16_000, np.float32), urgent=True)


@pytest.mark.parametrize(
    ("package", "find", "fix"),
    [
        ("moonshine_voice", module.moonshine_model, r"moonshine-voice==0\.1\.0"),
        ("pipecat", module.silero_model, "pipecat-ai"),
    ],
)
def test_a_missing_model_names_the_fix(monkeypatch, tmp_path, package, find, fix):
    real = importlib.util.find_spec
    (tmp_path / "__init__.py").touch()
    # As later wheels are: the package is there, its model is not.
    bare = importlib.util.spec_from_file_location(package, tmp_path / "__init__.py")
    for spec in (None, bare):
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, spec=spec: spec if name == package else real(name),
        )
        with pytest.raises(EngineMissingError, match=fix):
            find()

"""The echo canceller: in rooms made of noise, with nobody and with somebody else speaking."""

import numpy as np
import pytest

from tests.speech import speak
from vivavoce.pipelines.echo import FRAME, RATE, EchoCanceller

pytest.importorskip("pywebrtc_audio", reason="needs the extra mic: pip install 'vivavoce[mic]'")

LINES = (
    "Good evening. We open at six and close at eleven. The kitchen takes its last order at ten.",
    "Would you like a table by the window, or one in the garden?",
)


def far() -> np.ndarray:
    gap = np.zeros(RATE // 4, np.int16)
    lines = [np.concatenate([speak(line, RATE), gap]) for line in LINES]
    pcm = np.concatenate([*lines, *lines])
    return pcm[: len(pcm) - len(pcm) % FRAME]


def room(pcm: np.ndarray, delay_ms: int, *, gain: float = 0.4) -> np.ndarray:
    """What a microphone hears of a speaker: late, reverberant (RT60 0.25 s), a little noisy."""
    rng = np.random.default_rng(3)
    time = np.arange(RATE // 4) / RATE
    response = rng.normal(0, 1, len(time)) * 10 ** (-3 * time / 0.25)
    response[0] = 4
    response /= np.sqrt((response**2).sum())
    size = len(pcm) + len(response)
    spectrum = np.fft.rfft(pcm, size) * np.fft.rfft(response, size)
    heard = np.fft.irfft(spectrum, size)[: len(pcm)] * gain
    late = np.concatenate([np.zeros(RATE * delay_ms // 1000), heard])[: len(pcm)]
    return (late + rng.normal(0, 10, len(pcm))).clip(-32_768, 32_767).astype(np.int16)


def cancel(near: np.ndarray, far: np.ndarray, block: int = FRAME * 2) -> np.ndarray:
    canceller = EchoCanceller()
    size = len(near) - len(near) % block
    return np.concatenate(
        [
            canceller.feed(near[at : at + block], far[at : at + block])
            for at in range(0, size, block)
        ]
    )


def power(pcm: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(pcm.astype(np.float64) ** 2) + 1e-9))


@pytest.mark.parametrize("delay_ms", [0, 40, 120, 300])
def test_the_echo_is_20_db_lower_after_2_seconds(delay_ms: int) -> None:
    speech = far()
    near = room(speech, delay_ms)
    clean = cancel(near, speech)
    for second in range(2, len(clean) // RATE):
        part = slice(second * RATE, (second + 1) * RATE)
        if power(near[part]) > 45:  # where there is an echo at all
            assert power(near[part]) - power(clean[part]) >= 20, f"in second {second}"


def test_the_caller_is_heard_while_the_agent_speaks() -> None:
    speech = far()
    echo = room(speech, 40)
    caller = np.zeros(len(speech), np.int16)
    line = speak("No, thank you, I would rather sit inside.", RATE)
    at = 4 * RATE
    caller[at : at + len(line)] = line
    near = (echo.astype(np.int32) + caller).clip(-32_768, 32_767).astype(np.int16)
    clean = cancel(near, speech)[at : at + len(line)].astype(np.float64)
    loud = np.abs(line) > 500
    assert abs(power(clean[loud]) - power(line[loud])) < 8
    # It is the caller's voice that is left: it rises and falls with their words.
    hop = RATE // 50
    theirs, left = (
        [power(pcm[i : i + hop]) for i in range(0, len(pcm), hop)] for pcm in (line, clean)
    )
    assert np.corrcoef(np.maximum(theirs, 20), np.maximum(left, 20))[0, 1] > 0.5


def test_without_an_echo_speech_passes() -> None:
    line = speak("A table for four, please.", RATE)
    line = line[: len(line) - len(line) % (2 * FRAME)]
    clean = cancel(line, np.zeros_like(line))
    assert abs(power(clean) - power(line)) < 3


@pytest.mark.parametrize(("near", "far"), [(FRAME, FRAME * 2), (FRAME - 1, FRAME - 1)])
def test_signals_that_do_not_fit_are_refused(near: int, far: int) -> None:
    with pytest.raises(ValueError, match="as long"):
        EchoCanceller().feed(np.zeros(near, np.int16), np.zeros(far, np.int16))

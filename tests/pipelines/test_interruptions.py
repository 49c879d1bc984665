"""Interruptions of real speech, judged by the recording: what is in it, and what is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.turns import floor, heard, measure, sounds
from benchmarks.turns.calls import OPENING, Hall, Held, hall
from vivavoce.agent import Turns

# One flush per utterance: a script answers each with its next line.
CALM = Turns(eager=False, flush_after=0.3, min_silence=0.4, unsure_silence=0.6)
SHORT = "Of course I can help you with that, and I will do it at once."

_undisturbed: dict[str, Held] = {}


async def undisturbed(opened: Hall, reply: str, **given: Any) -> Held:
    """Hold the call in which nobody cuts in: once for each reply, it is always the same."""
    if reply not in _undisturbed:
        _undisturbed[reply] = await opened.hold(reply, None, **given)
    return _undisturbed[reply]


@pytest.mark.needs_flite
async def test_what_was_heard_is_what_the_recording_says(sandbox):
    # Five of them: what is transcribed costs most. `python -m benchmarks.turns` has hundreds.
    async with hall(sandbox) as opened:
        cuts = await heard.run(opened, 5, seed=5, say=lambda _: None, calls=2)
    stopped = [cut for cut in cuts if cut.stopped]
    assert len(stopped) >= 4
    wrong = [cut for cut in stopped if not cut.right]
    assert len(wrong) <= 1, wrong
    # Never far off, even so.
    assert all(abs(cut.said - cut.found) <= 3 for cut in stopped)
    assert all(cut.reply.startswith(cut.heard) for cut in cuts)


@pytest.mark.needs_flite
@pytest.mark.parametrize(
    ("kind", "understood"), [("cough", ""), ("hum", "Mm-hm."), ("yeah", "Yeah."), ("okay", "Okay.")]
)
async def test_noises_and_a_listeners_words_leave_the_floor_and_lose_no_sample(
    sandbox, kind, understood
):
    dice = np.random.default_rng(4)
    # A short word by itself is often misheard: here it is what the transcriber says it is.
    script = {"hear": [OPENING, understood]}
    async with hall(sandbox) as opened:
        match kind:
            case "cough":
                sound = sounds.cough(dice)
            case "hum":
                sound = sounds.hum(sounds.HUMMED["Mm-hm."], dice)
            case _:
                sound = await opened.speak(understood)
        plain = await undisturbed(opened, floor.REPLY, turns=CALM, script={"hear": [OPENING]})
        held = await opened.hold(floor.REPLY, sound, 1.5, stay=14, turns=CALM, script=script)
    trial = floor.judge(kind, kind, sound, held, plain.agent)
    assert trial.kept, trial
    assert trial.match is not None
    assert trial.match.whole, trial
    if kind in {"yeah", "okay"}:
        # Words do silence it, for a moment.
        assert trial.gap is not None
        assert trial.gap < 2.0


@pytest.mark.needs_flite
@pytest.mark.parametrize("text", ["Stop.", "No.", "Wait a moment."])
async def test_what_is_meant_stops_it_soon(sandbox, text):
    async with hall(sandbox) as opened:
        sound = await opened.speak(text)
        held = await opened.hold(floor.REPLY, sound, 1.5, stay=1.5)
    trial = floor.judge("interruption", text, sound, held, held.agent)
    assert trial.reaction is not None, trial
    assert trial.reaction < 0.5


@pytest.mark.needs_flite
@pytest.mark.parametrize(
    "latency",
    [
        {"jitter_ms": 200, "speak_realtime_factor": 0.3},
        {"jitter_ms": 200, "speak_realtime_factor": 1.3},
    ],
    ids=["jitter", "slow"],
)
async def test_speech_over_bad_servers_is_whole_and_does_not_click(sandbox, latency):
    # What the first clause is depends on how quick speech is: both are as slow to begin.
    first = {"speak_first_audio_ms": 300}
    async with hall(sandbox) as opened:
        plain = await undisturbed(opened, SHORT, latency=first)
        held = await opened.hold(SHORT, None, latency={**first, **latency})
    assert held.heard_words == SHORT
    order = measure.align(held.agent, plain.agent, held.rate)
    assert (order.lost, order.doubled, order.strange) == (0, 0, 0)
    assert not measure.clicks(held.agent, held.rate)
    # A gap is heard for each that was counted, or none: a clause's own pauses hide some.
    assert order.gaps <= held.underruns + 1
    if latency["speak_realtime_factor"] > 1:
        assert held.underruns > 0

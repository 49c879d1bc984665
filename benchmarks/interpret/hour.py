"""An hour of interpreting on simulated time: `python -m benchmarks.interpret.hour`.

One person speaks as the talk does, with long silences, monologues of half a minute and, if asked
for, a transcriber whose connection is lost, a line that is lost while the translation sounds,
and model servers that fail or are slow. What the listener was given is read off its samples.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
from loguru import logger
from pipecat.frames.frames import InputAudioRawFrame
from pipecat.processors.frame_processor import FrameProcessor

from benchmarks.interpret.scripted import (
    RATE,
    Samples,
    ScriptedHearing,
    Speech,
    ToneSpeaking,
    WordThinking,
    collapsed,
    listen,
    pitch,
    speech,
)
from benchmarks.latency.machine import describe
from vivavoce.agent import Interpreter
from vivavoce.agent.options import Limits
from vivavoce.agent.segment import Segment
from vivavoce.pipelines.interpret.interpretation import Interpretation
from vivavoce.pipelines.interpret.tracing import (
    Sounded,
    covered,
    pieces,
    score,
    spread_of,
    word_lags,
)
from vivavoce.pipelines.local import Passage
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.simulation.senses import LevelVad
from vivavoce.pipelines.simulation.track import VOICE
from vivavoce.pipelines.simulation.warp import jump, virtual_time
from vivavoce.pipelines.transport import Carried

RESULTS = Path(__file__).parents[1] / "results" / "interpret-hour.json"
BLOCK = RATE // 50
DRAIN = 60.0
"""Silence behind the last word after which the line is closed at the latest (s)."""
MINUTE = 60.0

Losses = list[tuple[float, float]]

_SIGNS: Samples = (2 * np.random.default_rng(3).integers(0, 2, RATE) - 1).astype(np.int16)


class VirtualLine:
    """Carries a session whose speaker is `Speech`, on simulated time. Implements `Transport`.

    Args:
        said: What is said.
        lost: Begin and length of each loss of the line, in which nothing comes and nothing goes.

    Attributes:
        given: What the listener was given, in blocks, each with when it was given (s).
    """

    def __init__(self, said: Speech, lost: Sequence[tuple[float, float]] = ()) -> None:
        self._said = said
        self._lost = list(lost)
        self._input = Passage("VirtualInput")
        self._output = Passage("VirtualOutput")
        self.given: list[tuple[float, Samples]] = []
        self._stretch = 0

    def input(self) -> FrameProcessor:
        """See `Transport`."""
        return self._input

    def output(self) -> FrameProcessor:
        """See `Transport`."""
        return self._output

    async def carry(self, conversation: Carried) -> str:
        """See `Transport`."""
        clock = conversation.clock
        began = clock.now()
        count = round(BLOCK / RATE * conversation.rate)
        position = 0
        while not conversation.over:
            now = position / RATE
            quiet = now > self._said.seconds + 2 and conversation.settled
            if quiet or now > self._said.seconds + DRAIN:
                return "everything was said"
            lost = next((n for at, n in self._lost if at <= now < at + BLOCK / RATE), 0.0)
            if lost:
                # What was said meanwhile comes at once when the line is back.
                await asyncio.sleep(lost)
            block = await conversation.play(count)
            self.given.append((now + lost, block.samples))
            position += BLOCK
            ahead = began + position / RATE - clock.now()
            if ahead > 0 and not jump(ahead):
                await asyncio.sleep(ahead)
            pcm = self._voice(position - BLOCK)
            await self._input.push_frame(InputAudioRawFrame(pcm.tobytes(), RATE, 1))
        return conversation.over

    def _voice(self, start: int) -> Samples:
        """Return a block of the speaker's audio."""
        stretches = self._said.stretches
        while self._stretch < len(stretches) and stretches[self._stretch][1] * RATE <= start:
            self._stretch += 1
        out = np.zeros(BLOCK, np.int16)
        for begin, end in stretches[self._stretch : self._stretch + 2]:
            first = max(0, round(begin * RATE) - start)
            last = min(BLOCK, round(end * RATE) - start)
            if last > first:
                at = (start + first) % (RATE - BLOCK)
                out[first:last] = _SIGNS[at : at + last - first] * VOICE
        return out

    async def close(self) -> None:
        """See `Transport`."""


def troubles(
    said: Speech, seed: int
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Choose when the transcriber's connection and the line are lost: each every five minutes."""
    dice = random.Random(seed)
    count = round(said.seconds / (5 * MINUTE))
    outages = [
        (5 * MINUTE * k + dice.uniform(30, 270), dice.uniform(0.5, 4.0)) for k in range(count)
    ]
    pauses = [
        begin
        for (_, begin), (end, _) in zip(said.stretches, said.stretches[1:], strict=False)
        if end - begin > 5
    ]
    lost = [(round((at + 0.5) * 50) / 50, dice.uniform(1.0, 3.0)) for at in pauses[::3]]
    return outages, lost


async def session(
    said: Speech, policy: Any, *, faults: bool, seed: int, latency: float
) -> dict[str, Any]:
    """Interpret a speech; return everything that was measured."""
    outages, lost = troubles(said, seed) if faults else ([], [])
    chance = 0.01 if faults else 0.0
    thinking = WordThinking(faults=chance, seed=seed)
    speaking = ToneSpeaking(faults=chance, seed=seed + 1)
    hearing = ScriptedHearing(said, seed=seed, outages=outages)
    line = VirtualLine(said, lost)
    interpreter = Interpreter(
        "en", "fr", policy=policy, original="off", latency=latency, limits=Limits(call=86_400)
    )
    began = time.process_time()
    with virtual_time():
        models = Models(
            hearing=lambda _wishes: hearing,
            thinking=thinking,
            speaking=speaking,
            names=dict.fromkeys(("hearing", "thinking", "speaking"), "scripted"),
            vad=LevelVad,
        )
        running = Interpretation(interpreter, models, line, simulated=True)
        call = await running.run()
    segments = [one for one in call.transcript.entries if isinstance(one, Segment)]
    report = judge(segments, said.words)
    report |= heard(line, segments)
    return report | {
        "policy": policy,
        "seconds": round(said.seconds, 1),
        "segments": len(segments),
        "failed": [one.number for one in segments if one.state == "failed"],
        "reconnects": hearing.reconnects,
        "line_lost": len(lost),
        "faults": {"thinking": thinking.failed, "speaking": speaking.failed},
        "brief": thinking.brief,
        "speed": round(float(np.mean([one.speed for one in segments])), 3),
        "cpu_s": round(time.process_time() - began, 1),
        "pieces": {
            "words": round(len(said.words) / max(1, len(segments)), 2),
            "wait_s": mean(one.cut - one.ended for one in segments),
            "translation_s": mean(
                one.translated - one.cut for one in segments if one.translated is not None
            ),
            "to_sound_s": mean(
                one.spoken_from - one.translated
                for one in segments
                if one.spoken_from is not None and one.translated is not None
            ),
        },
    }


def mean(values: Any) -> float:
    """Return a mean, rounded; 0 of nothing."""
    found = list(values)
    return round(float(np.mean(found)), 3) if found else 0.0


def judge(segments: list[Segment], said: Sequence[Sounded]) -> dict[str, Any]:
    """Return lags, scores, and whether anything is missing, by the account of the segments."""
    traced = pieces(segments, said)
    lags = word_lags(traced)
    minutes: dict[int, list[float]] = {}
    for at, lag in lags:
        minutes.setdefault(int(at // MINUTE), []).append(lag)
    found = covered(segments, [word.text for word in said])
    # By the segment: from its last word's end to its translation's first sound.
    ends = [piece.target[0].started - piece.source[-1].ended for piece in traced if piece.target]
    return {
        "lag": spread_of(lags).to_dict(),
        "segment_lag": spread_of([(0.0, lag) for lag in ends]).to_dict(),
        "by_minute": [round(float(np.mean(minutes[k])), 2) for k in sorted(minutes)],
        "most_by_minute": [round(max(minutes[k]), 2) for k in sorted(minutes)],
        "scores": score(traced).to_dict(),
        "lost": list(found.lost),
        "doubled": list(found.doubled),
        "disordered": list(found.disordered),
        "silent": list(found.silent),
    }


def heard(line: VirtualLine, segments: Sequence[Segment]) -> dict[str, Any]:
    """Return what the listener heard otherwise than it was translated, tone by tone."""
    samples = np.concatenate([block for _, block in line.given])
    got = collapsed(tone.number for tone in listen(samples))
    spoken = [one for one in segments if one.spoken_from is not None]
    want = collapsed(pitch(word) for one in spoken for word in one.translation.split())
    wrong = [
        (tag, want[a:b], got[c:d])
        for tag, a, b, c, d in SequenceMatcher(None, want, got, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
    return {
        "tones": len(want),
        "tones_missing": sum(len(one) for _, one, _ in wrong),
        "tones_more": sum(len(one) for _, _, one in wrong),
    }


def show(name: str, report: dict[str, Any]) -> None:
    """Print the figures of a session."""
    lag, scores = report["lag"], report["scores"]
    print(
        f"{name}: {report['seconds'] / 60:.0f} min, {report['segments']} segments of"
        f" {report['pieces']['words']} words; lag {lag['mean']:.2f} s (p50 {lag['p50']:.2f},"
        f" p95 {lag['p95']:.2f}, most {lag['most']:.2f}); AL {scores['al']:.2f}, LAAL"
        f" {scores['laal']:.2f}, ATD {scores['atd']:.2f}; by segment p95"
        f" {report['segment_lag']['p95']:.2f}, most {report['segment_lag']['most']:.2f}"
    )
    print(
        f"  lost {len(report['lost'])}, doubled {len(report['doubled'])}, out of order"
        f" {len(report['disordered'])}, silent {len(report['silent'])}, failed"
        f" {len(report['failed'])}; tones heard {report['tones']}, missing"
        f" {report['tones_missing']}, more {report['tones_more']}; reconnects"
        f" {report['reconnects']}, line lost {report['line_lost']}, faults {report['faults']},"
        f" brief {report['brief']}, speed {report['speed']}, CPU {report['cpu_s']} s"
    )
    print(f"  waits: {report['pieces']}")
    print(f"  by minute: {report['by_minute']}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.interpret.hour", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--policy", default="simultaneous")
    parser.add_argument("--latency", type=float, default=2_000.0, help="the target lag (ms)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="no troubles, the talk's own pauses")
    parser.add_argument("--out", type=Path, help="where to keep the results")
    given = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    said = speech(given.minutes * MINUTE, seed=given.seed, free=not given.plain)
    report = asyncio.run(
        session(said, given.policy, faults=not given.plain, seed=given.seed, latency=given.latency)
    )
    show(given.policy, report)
    if given.out is not None:
        kept = {"machine": describe()} | report
        given.out.write_text(json.dumps(kept, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

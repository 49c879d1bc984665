"""An hour of interpreting on simulated time: `python -m benchmarks.interpret.hour`.

One person speaks as the talk does, with long silences and monologues of half a minute, or two talk
with each other and cut in. Meanwhile the transcriber's connection is lost, the line is lost while
a translation sounds, and model servers fail or are slow. What a listener was given is read off
its samples.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np
from loguru import logger

from benchmarks.interpret.scripted import (
    ScriptedHearing,
    Speech,
    ToneSpeaking,
    WordThinking,
    collapsed,
    dialogue,
    listen,
    pitch,
    speech,
)
from benchmarks.interpret.virtual import VirtualLine, troubles
from benchmarks.latency.machine import describe
from vivavoce.agent import Interpreter
from vivavoce.agent.options import Limits
from vivavoce.agent.segment import Segment
from vivavoce.pipelines.interpret.interpretation import Interpretation
from vivavoce.pipelines.interpret.room import Room
from vivavoce.pipelines.interpret.tracing import (
    covered,
    pieces,
    score,
    spread_of,
    word_lags,
)
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.simulation.senses import LevelVad
from vivavoce.pipelines.simulation.warp import virtual_time

MINUTE = 60.0


class Bench:
    """Models, and what was counted of them.

    Args:
        said: What is said, by language.
        faults: Whether anything fails.
        seed: Of the dice.
    """

    def __init__(self, said: dict[str, Speech], *, faults: bool, seed: int) -> None:
        chance = 0.01 if faults else 0.0
        self.thinking = WordThinking(faults=chance, seed=seed)
        self.speaking = ToneSpeaking(faults=chance, seed=seed + 1)
        self.hearing: dict[str, ScriptedHearing] = {}
        self.lost: dict[str, list[tuple[float, float]]] = {}
        for language, one in said.items():
            outages, self.lost[language] = troubles(one, seed) if faults else ([], [])
            self.hearing[language] = ScriptedHearing(one, seed=seed, outages=outages)

    def models(self) -> Models:
        """Return them, on the running loop."""
        return Models(
            hearing=lambda wishes: self.hearing[wishes.language or "en"],
            thinking=self.thinking,
            speaking=self.speaking,
            names=dict.fromkeys(("hearing", "thinking", "speaking"), "scripted"),
            vad=LevelVad,
        )

    def counted(self) -> dict[str, Any]:
        """Return what went wrong on purpose, and what was asked for."""
        return {
            "reconnects": sum(one.reconnects for one in self.hearing.values()),
            "line_lost": sum(len(one) for one in self.lost.values()),
            "faults": {"thinking": self.thinking.failed, "speaking": self.speaking.failed},
            "brief": self.thinking.brief,
        }


async def alone(
    said: Speech, policy: Any, *, faults: bool, seed: int, latency: float
) -> dict[str, dict[str, Any]]:
    """Interpret a speech; return everything that was measured."""
    bench = Bench({"en": said}, faults=faults, seed=seed)
    line = VirtualLine(said, bench.lost["en"])
    interpreter = Interpreter(
        "en", "fr", policy=policy, original="off", latency=latency, limits=Limits(call=86_400)
    )
    began = time.process_time()
    with virtual_time():
        running = Interpretation(interpreter, bench.models(), line, simulated=True)
        call = await running.run()
    cpu = time.process_time() - began
    return {policy: judge(call.transcript.segments, said, line, cpu) | bench.counted()}


async def together(
    said: dict[str, Speech], policy: Any, *, faults: bool, seed: int, latency: float
) -> dict[str, dict[str, Any]]:
    """Interpret for two who talk with each other; return what was measured, by speaker."""
    bench = Bench(said, faults=faults, seed=seed)
    end = max(one.seconds for one in said.values()) + 20
    lines = {
        language: VirtualLine(one, bench.lost[language], until=end)
        for language, one in said.items()
    }
    interpreter = Interpreter(
        "en",
        "fr",
        both_ways=True,
        policy=policy,
        original="off",
        latency=latency,
        limits=Limits(call=86_400),
    )
    began = time.process_time()
    with virtual_time():
        room = Room(interpreter, bench.models())
        carrying = asyncio.create_task(room.run(), name="room")
        try:
            people = {language: room.reserve(language=language, name=language) for language in said}
            await asyncio.gather(
                *(room.seat(people[one], line).run() for one, line in lines.items())
            )
        finally:
            await room.hang_up("everything was said")
            call = await carrying
    cpu = time.process_time() - began
    reports = {}
    for language, other in (("en", "fr"), ("fr", "en")):
        segments = [one for one in call.transcript.segments if one.speaker == language]
        report = judge(segments, said[language], lines[other], cpu / 2)
        reports[f"{language} to {other}"] = report | bench.counted()
    return reports


def mean(values: Any) -> float:
    """Return a mean, rounded; 0 of nothing."""
    found = list(values)
    return round(float(np.mean(found)), 3) if found else 0.0


def judge(
    segments: Sequence[Segment], said: Speech, line: VirtualLine, cpu: float
) -> dict[str, Any]:
    """Return lags, scores, and whether anything is missing, of one speaker.

    Args:
        segments: The speaker's.
        said: What they said.
        line: Whose listener heard the translation.
        cpu: What it took (s).
    """
    traced = pieces(segments, said.words)
    lags = word_lags(traced)
    minutes: dict[int, list[float]] = {}
    for at, lag in lags:
        minutes.setdefault(int(at // MINUTE), []).append(lag)
    found = covered(segments, [word.text for word in said.words])
    # By the segment: from its last word's end to its translation's first sound.
    ends = [piece.target[0].started - piece.source[-1].ended for piece in traced]
    return {
        "seconds": round(said.seconds, 1),
        "words": len(said.words),
        "segments": len(segments),
        "failed": [one.number for one in segments if one.state == "failed"],
        "speed": mean(one.speed for one in segments),
        "cpu_s": round(cpu, 1),
        "pieces": waits(segments, len(said.words)),
        "lag": spread_of(lags).to_dict(),
        "segment_lag": spread_of([(0.0, lag) for lag in ends]).to_dict(),
        "by_minute": [round(mean(minutes[k]), 2) for k in sorted(minutes)],
        "most_by_minute": [round(max(minutes[k]), 2) for k in sorted(minutes)],
        "scores": score(traced).to_dict(),
        "lost": list(found.lost),
        "doubled": list(found.doubled),
        "disordered": list(found.disordered),
        "silent": list(found.silent),
    } | heard(line, segments)


def waits(segments: Sequence[Segment], words: int) -> dict[str, float]:
    """Return where the time goes, on average: words of a segment, and seconds."""
    sounded = [
        one for one in segments if one.spoken_from is not None and one.translated is not None
    ]
    return {
        "words": round(words / max(1, len(segments)), 2),
        "cut_s": mean(one.cut - one.ended for one in segments),
        "translation_s": mean((one.translated or 0) - one.cut for one in sounded),
        "to_sound_s": mean((one.spoken_from or 0) - (one.translated or 0) for one in sounded),
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
    parser.add_argument("--people", type=int, choices=(1, 2), default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="no troubles, the talk as it is")
    parser.add_argument("--out", type=Path, help="where to keep the results, beside what is there")
    given = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    options = {"faults": not given.plain, "seed": given.seed, "latency": given.latency}
    seconds = given.minutes * MINUTE
    if given.people == 2:
        talks = dialogue(seconds, seed=given.seed)
        reports = asyncio.run(together(talks, given.policy, **options))
    else:
        said = speech(seconds, seed=given.seed, free=not given.plain, once=not given.plain)
        reports = asyncio.run(alone(said, given.policy, **options))
    if given.people == 1:
        kind = "plain" if given.plain else "troubles"
        reports = {f"{name}, {kind}": report for name, report in reports.items()}
    for name, report in reports.items():
        show(name, report)
    if given.out is not None:
        kept = json.loads(given.out.read_text(encoding="utf-8")) if given.out.exists() else {}
        made = describe()
        kept |= {name: {"machine": made} | report for name, report in reports.items()}
        given.out.write_text(json.dumps(kept, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

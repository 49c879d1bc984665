"""How far a translation is behind a talk of five minutes: `python -m benchmarks.interpret.lag`.

Over real sockets, in real time, on one sandbox with fixed latencies: our two policies, and
pipecat's translation example. The words' times are the talk's own; when a translation sounds is
measured where it is heard.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.interpret.lag_picture import draw
from benchmarks.interpret.sounding import Sound, segments_of
from benchmarks.interpret.talk import RATE, Talk, talk
from benchmarks.latency.engine import Engine
from benchmarks.latency.machine import describe
from benchmarks.latency.roster import python_of
from benchmarks.latency.wire import BLOCK
from vivavoce.agent.segment import Segment
from vivavoce.pipelines.benching.callers import room
from vivavoce.pipelines.benching.take import Take
from vivavoce.pipelines.interpret.tracing import covered, pieces, score, spread_of, word_lags
from vivavoce.sandbox.launch import Sandbox

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results" / "interpret-lag.json"
PICTURE = HERE.parents[1] / "docs" / "pictures" / "interpret-lag.svg"
CACHE = HERE.parent / ".cache"

LATENCY: dict[str, float] = {
    "hear_delay_ms": 240,
    "hear_final_ms": 60,
    "hear_idle_s": 100_000,
    "think_first_token_ms": 200,
    "think_tokens_per_s": 60,
    "speak_first_audio_ms": 90,
    "speak_realtime_factor": 0.25,
    "speak_char_ms": 58,
}
"""As in the latency benchmark; speech comes four times as fast as it sounds, about 17 letters a
second, as people speak."""
PEACE = 12.0
"""Silence behind the talk after which nothing is expected any more (s)."""
PAUSED = 0.25
"""Silence behind which a begin of sound is surely that of a segment (s)."""
LONGEST = 400.0
"""What is waited for behind the talk, whatever sounds (s)."""

ENGINES = {
    "simultaneous": ("benchmarks.interpret.ours", "simultaneous", ""),
    "consecutive": ("benchmarks.interpret.ours", "consecutive", ""),
    "pipecat": ("benchmarks.interpret.pipecat_peer", "mistral", "pipecat"),
    "pipecat-ideal": ("benchmarks.interpret.pipecat_peer", "ideal", "pipecat"),
}


class Speaker:
    """Gives the talk, and waits until its translation is over."""

    def __init__(self, given: Talk, seconds: float) -> None:
        """Prepare it.

        Args:
            given: The talk.
            seconds: How much of it; all if 0.
        """
        samples = given.samples[: round(seconds * RATE)] if seconds else given.samples
        noise = room(2.0, 5)
        whole = -len(samples) % BLOCK
        padded = np.concatenate([samples, np.zeros(whole, np.int16)])
        self._audio = padded + np.resize(noise, len(padded))
        self._room = noise
        self.end = len(samples) / RATE

    def block(self, number: int, take: Take) -> Any:
        """See `vivavoce.pipelines.benching.callers.Caller`."""
        at = number * BLOCK
        if at < len(self._audio):
            return self._audio[at : at + BLOCK]
        now = at / RATE
        if now - self.end > LONGEST or (now - self.end > PEACE and take.silent_since(now) > PEACE):
            return None
        start = at % (len(self._room) - BLOCK)
        return self._room[start : start + BLOCK]


async def measure(name: str, sandbox: Sandbox, seconds: float) -> dict[str, Any]:
    """Let one engine translate the talk; return everything that was measured."""
    module, variant, peer = ENGINES[name]
    given = talk()
    heard = [word for word in given.words if not seconds or word.ended <= seconds]
    script = {"hear": [given.script()[: len(heard)]], "speak": "tone"}
    key = sandbox.make_key(latency=LATENCY, script=script)
    python = python_of(peer, CACHE) if peer else sys.executable
    options = {"url": sandbox.url, "keys": [key], "variant": variant}
    engine = Engine(name, python, module, options)
    await engine.start()
    try:
        speaker = Speaker(given, seconds)
        before = engine.cpu()
        take = await engine.play(speaker)
        cpu = engine.cpu() - before
        told = list(engine.turns[0])
        log = engine.log
    finally:
        await engine.close()
    if log:
        print(f"--- {name} wrote:\n{log}", file=sys.stderr)
    sound = Sound(take.packets)
    report: dict[str, Any] = {
        "engine": name,
        "versions": engine.ready["versions"],
        "late_ms": round(take.late * 1000),
        "cpu_percent": round(100 * cpu / max(speaker.end, 1e-9), 2),
        "sound_s": round(sound.seconds, 2),
        "stretches": [[round(begin, 2), round(end, 2)] for begin, end in sound.stretches],
        "requests": sandbox.report(key)["requests"],
    }
    if peer:
        segments = segments_of(told, sound, "en", "fr")
    else:
        segments, report["account"] = ours(told, sound)
        report["loop_lag_ms"] = told[-1]["loop_lag_ms"] if told else {}
    return report | judge(segments, heard) | {"segments": [kept(one) for one in segments]}


def ours(told: list[dict[str, Any]], sound: Sound) -> tuple[list[Segment], dict[str, float]]:
    """Return our segments where they were heard, and how our own account differs from that.

    The account's clock began with the call, the caller's with the first block; what lies between
    them is taken from the first sound.
    """
    segments = [segment_of(one["segment"]) for one in told if "segment" in one]
    segments.sort(key=lambda one: one.number)
    spoken = [one for one in segments if one.spoken_from is not None]
    offset = sound.stretches[0][0] - (spoken[0].spoken_from or 0.0) if spoken else 0.0
    for one in spoken:
        one.spoken_from = (one.spoken_from or 0.0) + offset
        one.spoken_to = None if one.spoken_to is None else one.spoken_to + offset
    return segments, {"offset_ms": round(1000 * offset)} | account(segments, sound.stretches)


def account(segments: list[Segment], stretches: Sequence[Sequence[float]]) -> dict[str, float]:
    """Return how far the begins of segments are from where sound began behind a pause (ms)."""
    begins = np.array([one.spoken_from for one in segments if one.spoken_from is not None])
    heard = [later[0] for one, later in pairwise(stretches) if later[0] - one[1] > PAUSED]
    if not heard or not len(begins):
        return {"compared": 0}
    values = [1000 * float(np.abs(begins - one).min()) for one in heard]
    p50, p95 = np.percentile(values, (50, 95))
    return {
        "compared": len(values),
        "differs_p50_ms": round(float(p50), 1),
        "differs_p95_ms": round(float(p95), 1),
        "differs_most_ms": round(max(values), 1),
    }


def kept(segment: Segment) -> dict[str, Any]:
    """Return what is kept of a segment."""
    names = ("number", "text", "translation", "spoken_from", "spoken_to", "condensed", "speed")
    whole = segment.to_dict()
    return {name: whole[name] for name in names}


def segment_of(given: dict[str, Any]) -> Segment:
    """Read a segment as `Segment.to_dict` wrote it."""
    kept = {name: value for name, value in given.items() if name not in {"kind", "lag", "latency"}}
    return Segment(**kept)


def judge(segments: list[Segment], heard: list[Any]) -> dict[str, Any]:
    """Return lags, scores, and whether anything is missing."""
    traced = pieces(segments, heard)
    lags = word_lags(traced)
    found = covered(segments, [word.text for word in heard])
    return {
        "lag": spread_of(lags).to_dict(),
        "first_half": spread_of(lags[: len(lags) // 2]).to_dict(),
        "second_half": spread_of(lags[len(lags) // 2 :]).to_dict(),
        "scores": score(traced).to_dict(),
        "lost": list(found.lost),
        "doubled": list(found.doubled),
        "disordered": list(found.disordered),
        "silent": list(found.silent),
        "words": [[round(at, 2), round(lag, 3)] for at, lag in lags],
    }


def table(reports: dict[str, dict[str, Any]]) -> str:
    """Return the figures as a table (s)."""
    head = "| engine | mean lag | p50 | p95 | most | AL | LAAL | ATD | lost | doubled | CPU |"
    rows = [head, "|" + "---|" * 11]
    for name, one in reports.items():
        lag, scores = one["lag"], one["scores"]
        rows.append(
            f"| {name} | {lag['mean']:.2f} | {lag['p50']:.2f} | {lag['p95']:.2f} |"
            f" {lag['most']:.2f} | {scores['al']:.2f} | {scores['laal']:.2f} |"
            f" {scores['atd']:.2f} | {len(one['lost'])} | {len(one['doubled'])} |"
            f" {one['cpu_percent']:.1f} % |"
        )
    return "\n".join(rows)


def run(names: list[str], seconds: float, out: Path) -> None:
    """Measure engine by engine; write the results after each, beside those of other engines."""
    kept: dict[str, Any] = {}
    if out.exists():
        kept = json.loads(out.read_text(encoding="utf-8"))["engines"]
    ordered = kept
    with Sandbox() as sandbox:
        for name in names:
            kept[name] = {"machine": describe()} | asyncio.run(measure(name, sandbox, seconds))
            ordered = {each: kept[each] for each in ENGINES if each in kept}
            result = {"latency": LATENCY, "talk_s": round(talk().seconds, 1), "engines": ordered}
            out.write_text(json.dumps(result, ensure_ascii=False) + "\n", encoding="utf-8")
            print(table({name: kept[name]}), flush=True)
    print(table(ordered))
    if "simultaneous" in kept and "consecutive" in kept:
        ratio = kept["simultaneous"]["lag"]["mean"] / kept["consecutive"]["lag"]["mean"]
        print(f"simultaneous / consecutive = {ratio:.2f}")
    if out == RESULTS:
        PICTURE.write_text(draw(ordered), encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.interpret.lag", description=__doc__)
    parser.add_argument("--only", default=",".join(ENGINES), help="engines, parted by commas")
    parser.add_argument("--seconds", type=float, default=0.0, help="of the talk; all of it if 0")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    names = [name.strip() for name in given.only.split(",")]
    if unknown := [name for name in names if name not in ENGINES]:
        parser.error(f"no engine is called {', '.join(unknown)}; there are {', '.join(ENGINES)}")
    run(names, given.seconds, given.out)


if __name__ == "__main__":
    main()

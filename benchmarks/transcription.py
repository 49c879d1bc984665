"""`python -m benchmarks.transcription`: three hours through `vivavoce transcribe`.

A synthesised recording of sentences that all differ goes, as an MP3, through the command in a
process of its own, against the sandbox's recogniser. The process is interrupted (Ctrl-C), then
killed, and taken up both times. Measured: its memory, how many parts were paid for twice, and
whether the words beside the seams are heard as well as the others.

With `--script` the sandbox reads each part and answers with a fixed text, without its recogniser,
which takes a twentieth of real time on an idle core: all else is as it is, and there is no word to
judge.
"""

from __future__ import annotations

import argparse
import base64
import bisect
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.latency import machine
from vivavoce.pipelines.audio.cuts import Cutter
from vivavoce.pipelines.audio.media import RATE, Decoder, Encoder
from vivavoce.pipelines.audio.resample import resample
from vivavoce.pipelines.models.transcription.job import Plan
from vivavoce.pipelines.models.transcription.options import Abilities, Options
from vivavoce.sandbox.launch import Sandbox

HERE = Path(__file__).parent
CACHE = HERE / ".cache" / "transcription"
WHO = "gardener teacher doctor farmer sailor painter baker driver singer lawyer".split()
DID = "bought found carried painted borrowed cleaned opened counted finished repaired".split()
HOW = "yellow heavy little broken silver wooden narrow famous simple quiet".split()
WHAT = "table window letter bottle basket camera jacket garden ladder hammer".split()
WHERE = "station river market library hospital mountain kitchen airport village harbor".split()
WHEN = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January April August".split()
NEAR = 3.0
"""Seconds from a seam within which a sentence counts as beside it."""


def sentences(count: int) -> list[str]:
    dice = random.Random(20)
    found: dict[str, None] = {}
    while len(found) < count:
        parts = [dice.choice(words) for words in (WHO, DID, HOW, WHAT, WHERE, WHEN)]
        text = "The {} {} a {} {} near the {} in {}.".format(*parts)
        found[
            text if parts[5] in {"January", "April", "August"} else text.replace(" in ", " on ")
        ] = None
    return list(found)


def speak(sandbox: Sandbox, text: str) -> np.ndarray:
    """Have the sandbox say a text; int16 at 16 kHz."""
    address = urllib.parse.urlsplit(sandbox.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    body = {"model": "voxtral-mini-tts-2603", "input": text, "voice_id": "en_paul_neutral"}
    headers = {"Authorization": f"Bearer {sandbox.key}", "Content-Type": "application/json"}
    request = json.dumps({**body, "response_format": "pcm"})
    connection.request("POST", "/v1/audio/speech", request, headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    floats = np.frombuffer(base64.b64decode(answer["audio_data"]), "<f4")
    pcm = (np.clip(floats, -1, 1) * 32767).astype(np.int16)
    return resample(pcm, 24_000, RATE)


def make(sandbox: Sandbox, seconds: float) -> tuple[Path, list[tuple[float, float, str]]]:
    """Make the recording, or take the one that was made before; and what is said when."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path, script = CACHE / f"{seconds:.0f}.mp3", CACHE / f"{seconds:.0f}.json"
    if path.exists() and script.exists():
        return path, [tuple(row) for row in json.loads(script.read_text())]
    dice, noise = random.Random(3), np.random.default_rng(3)
    spoken: list[tuple[float, float, str]] = []
    position = 0
    with path.with_suffix(".part").open("wb") as file, Encoder(file, "mp3") as encoder:
        for text in sentences(int(seconds / 3.5) + 10):
            voice = speak(sandbox, text)
            pause = int(dice.uniform(0.9, 1.6) * RATE)
            block = np.concatenate((voice, np.zeros(pause, np.int16))).astype(np.int32)
            block += noise.normal(0, 12, len(block)).astype(np.int32)
            if position + len(block) > seconds * RATE:
                break
            spoken.append((position / RATE, (position + len(voice)) / RATE, text))
            position += len(block)
            encoder.write(np.clip(block, -32768, 32767).astype(np.int16))
        left = int(seconds * RATE) - position
        encoder.write(noise.normal(0, 12, left).astype(np.int16))
    script.write_text(json.dumps(spoken))
    path.with_suffix(".part").rename(path)
    return path, spoken


class Run:
    """One run of the command; samples its memory."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.peak = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            print("   ", line.rstrip(), flush=True)

    def wait(self, until: Any = None) -> int | None:
        """Wait for the end, or until something is so."""
        watched = psutil.Process(self.process.pid)
        while self.process.poll() is None:
            with contextlib.suppress(psutil.Error):
                self.peak = max(self.peak, watched.memory_info().rss)
            if until is not None and until():
                return None
            time.sleep(0.1)
        self._reader.join(5)
        return self.process.returncode


def seams(path: Path, plan: Plan, options: Options, abilities: Abilities) -> list[float]:
    """Return where the command cuts the recording (s)."""
    cutter, position, found = Cutter(plan.rule(options, abilities)), 0, []
    for block in Decoder(path).blocks():
        for piece in cutter.push(block):
            position += len(piece.samples)
            if piece.ends:
                found.append(position / RATE)
    return found


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower().replace("harbour", "harbor"))


def errors(told: list[str], heard: list[str]) -> int:
    """Count words that are wrong, lost or too many."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(told, 1):
        above, row = row, [number]
        for count, other in enumerate(heard, 1):
            row.append(min(above[count - 1] + (word != other), above[count] + 1, row[-1] + 1))
    return row[-1]


def judge(
    spoken: list[tuple[float, float, str]], segments: list[dict[str, Any]], cuts: list[float]
) -> dict[str, Any]:
    """Compare what was said with what was heard, beside the seams and elsewhere."""
    heard: list[list[str]] = [[] for _ in spoken]
    starts = [start for start, _, _ in spoken]
    for one in segments:
        middle = (one["start"] + one["end"]) / 2
        heard[max(bisect.bisect_right(starts, middle) - 1, 0)] += words(one["text"])
    counts = {"beside": [0, 0, 0], "elsewhere": [0, 0, 0]}
    for (start, end, text), got in zip(spoken, heard, strict=True):
        near = any(start - NEAR < cut < end + NEAR for cut in cuts)
        count = counts["beside" if near else "elsewhere"]
        told = words(text)
        count[0] += 1
        count[1] += len(told)
        count[2] += errors(told, got)
    return {
        name: {
            "sentences": rows,
            "words": told,
            "word_error_rate": round(wrong / max(told, 1), 4),
        }
        for name, (rows, told, wrong) in counts.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.transcription")
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--part", type=float, help="minutes of a part at most")
    parser.add_argument("--script", action="store_true", help="fixed answers, no recogniser")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    given = parser.parse_args()
    # In the background of a shell Ctrl-C is ignored, and the command would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seconds = given.hours * 3600
    out = CACHE / f"out-{given.hours:g}"
    shutil.rmtree(out, ignore_errors=True)
    with Sandbox() as sandbox:
        print(f"making {given.hours:g} h of speech", flush=True)
        path, spoken = make(sandbox, seconds)
        script = {"hear": ["one two three"] * 10_000} if given.script else {}
        key = sandbox.make_key(script=script)
        command = [sys.executable, "-m", "vivavoce.cli.main", "transcribe", str(path)]
        command += ["--format", "json", "--format", "srt", "--out", str(out)]
        if given.part:
            command += ["--part", f"{given.part:g}"]
        environment = {
            **os.environ,
            "VIVAVOCE_MODELS": "sandbox",
            "VIVAVOCE_SANDBOX_URL": sandbox.url,
            "VIVAVOCE_SANDBOX_KEY": key,
        }
        state = out / f"{path.stem}.resume"

        def kept() -> int:
            with contextlib.suppress(OSError):
                return max(state.read_bytes().count(b"\n") - 1, 0)
            return 0

        options = Options(times="segment")
        abilities = Abilities.of("mistral", "voxtral-mini-2602")
        plan = Plan(given.part * 60 if given.part else None)
        cuts = seams(path, plan, options, abilities)
        parts = len(cuts) + 1
        began = time.monotonic()
        runs: list[Run] = []
        for share, stop in ((1 / 3, signal.SIGINT), (2 / 3, signal.SIGKILL), (2.0, None)):
            run = Run(command, environment)
            runs.append(run)
            wanted = parts * share
            code = run.wait(lambda wanted=wanted: kept() >= wanted)
            if code is None and stop is not None:
                print(
                    f"  {signal.Signals(stop).name} with {kept()} of {parts} parts kept", flush=True
                )
                run.process.send_signal(stop)
                code = run.wait()
            if code != {signal.SIGINT: 130, signal.SIGKILL: -9, None: 0}[stop]:
                raise SystemExit(f"the command ended with {code}")
        took = time.monotonic() - began
        report = sandbox.report(key)
        transcript = json.loads((out / f"{path.stem}.json").read_text())
        result = {
            "machine": machine.describe(),
            "hours": given.hours,
            "parts": parts,
            "requests": report["requests"]["audio/transcriptions"],
            "seconds": {"recording": seconds, "heard_whole": round(report["heard_s"])},
            "took_s": round(took),
            "peak_mb": [round(run.peak / 1e6) for run in runs],
            "interrupted": ["SIGINT", "SIGKILL"],
            "state_file_left": state.exists(),
        }
        if not given.script:
            result["words"] = judge(spoken, transcript["segments"], cuts)
        elif transcript["text"].split() != ["one", "two", "three"] * parts:
            raise SystemExit("a part's answer was lost or doubled")
    given.results.mkdir(exist_ok=True)
    name = f"transcription-{given.hours:g}h{'-script' if given.script else ''}.json"
    (given.results / name).write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

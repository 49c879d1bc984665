"""LiveKit's local end-of-turn model, as LiveKit Agents uses it. Runs in its own environment.

python -m benchmarks.turns.endings_livekit CLIPS.npz

`CLIPS.npz` holds one int16 array at 16 kHz per utterance. Standard output gets a line of JSON for
each, in their order: a list of ends (s) and the grounds of each.

The model (turn-detector-v1-mini) lies in the wheel `livekit-local-inference`, so nothing is
downloaded; its licence allows it together with LiveKit Agents only, and that is how it runs here:
the framework's own voice detector and turn detector, on the clock of the samples. When it is
asked, what a resumed voice withdraws and how long it then waits follow `AudioRecognition` of
livekit-agents 1.8.9 with its defaults for such a detector.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import LanguageCode, inference, vad

RATE = 16_000
BLOCK = RATE // 50
WINDOW = 512
"""Samples of one window of its voice detector."""
ASKED_AFTER = 0.2
"""Silence after which the detector is asked (s)."""
SHORT, LONG = 0.3, 2.5
"""Silences that end a turn behind its "over" and its "not yet" (s)."""
PATIENCE = 10.0
"""Seconds that an answer may take."""


class Session:
    """One utterance's detectors."""

    def __init__(self) -> None:
        self._detector = inference.TurnDetector(version="v1-mini").stream()
        self._voice = inference.VAD().stream()
        self._fed = 0
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._windows = 0
        self._reading = asyncio.create_task(self._read(), name="voice events")

    async def ends(self, audio: np.ndarray[Any, Any]) -> list[tuple[float, str]]:
        """Return what it takes for ends, and on what grounds."""
        unlikely = await self._detector.unlikely_threshold(LanguageCode("en"))
        found: list[tuple[float, str]] = []
        speaking = False
        probability: float | None = None
        over: tuple[float, str] | None = None
        for at in range(0, len(audio) - BLOCK + 1, BLOCK):
            now = (at + BLOCK) / RATE
            if over is not None and over[0] <= now:
                found.append(over)
                over, probability = None, None
                self._detector.flush(reason="turn committed")
            for event in await self._feed(audio[at : at + BLOCK]):
                kind = event.type
                if kind == vad.VADEventType.START_OF_SPEECH:
                    speaking, probability, over = True, None, None
                    self._detector.cancel_inference()
                elif kind == vad.VADEventType.INFERENCE_DONE:
                    if event.raw_accumulated_speech > 0.0 and speaking:
                        probability = None
                    silent = event.raw_accumulated_silence >= ASKED_AFTER
                    if silent and speaking and probability is None:
                        probability = await self._ask()
                elif kind == vad.VADEventType.END_OF_SPEECH:
                    speaking = False
                    said = 0.0 if probability is None else probability
                    wait = SHORT if unlikely is None or said >= unlikely else LONG
                    over = (max(now, now - event.silence_duration + wait), f"voice {said:.2f}")
        return found

    async def _read(self) -> None:
        async for event in self._voice:
            self._events.put_nowait(event)

    async def _ask(self) -> float:
        await _settle()
        async with asyncio.timeout(PATIENCE):
            return float((await self._detector.predict()).end_of_turn_probability)

    async def _feed(self, block: np.ndarray[Any, Any]) -> list[Any]:
        """Push a block into both; return the voice detector's events up to it."""
        frame = rtc.AudioFrame(block.tobytes(), RATE, 1, len(block))
        self._voice.push_frame(frame)
        self._detector.push_audio(frame)
        self._fed += len(block)
        events = []
        while self._windows < self._fed // WINDOW:
            async with asyncio.timeout(PATIENCE):
                event = await self._events.get()
            events.append(event)
            self._windows += event.type == vad.VADEventType.INFERENCE_DONE
        # A start or a stop comes straight behind its window.
        await _settle()
        while not self._events.empty():
            events.append(self._events.get_nowait())
        return events

    async def close(self) -> None:
        """Close both."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._voice.aclose()
        await self._detector.aclose()


async def _settle() -> None:
    """Let the framework's own tasks take what was handed to them."""
    for _ in range(8):
        await asyncio.sleep(0)


async def run(path: str) -> None:
    """Judge every utterance of a file."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    clips = np.load(path)
    for name in clips.files:
        session = Session()
        try:
            found = await session.ends(clips[name])
        finally:
            await session.close()
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))

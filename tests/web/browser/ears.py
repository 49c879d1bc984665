"""What a caller hears of a page, measured: its audio element is recorded and transcribed."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import wave
from typing import Any

import av
import numpy as np
from aiohttp import ClientSession, ClientTimeout, FormData
from playwright.async_api import Page

from vivavoce.sandbox.launch import Sandbox

RATE = 16_000
BETWEEN = 1.0
"""Seconds of silence between two things that are said; within one, pauses are shorter."""

_LISTEN = """
async () => {
  const element = document.querySelector("#sound");
  while (!element.srcObject) await new Promise((resolve) => setTimeout(resolve, 20));
  // The browser's own recorder on the page's own element: none of the page's code takes part.
  const stream = element.captureStream();
  const recorder = new MediaRecorder(stream, { mimeType: "audio/webm;codecs=opus" });
  window.ears = { recorder, parts: [] };
  recorder.ondataavailable = ({ data }) => window.ears.parts.push(data);
  recorder.start();
}
"""
_HEARD = """
async () => {
  const { recorder, parts } = window.ears;
  const over = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.stop();
  await over;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768)
    text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}
"""


async def listen(page: Page) -> None:
    """Record what the page's audio element plays from now on."""
    await page.evaluate(_LISTEN)


async def heard(page: Page) -> Any:
    """End the recording; int16 samples at 16 kHz."""
    data = base64.b64decode(await page.evaluate(_HEARD))
    return await asyncio.to_thread(_decode, data)


def _decode(data: bytes) -> Any:
    resampler = av.AudioResampler("s16", "mono", RATE)
    parts = []
    with av.open(io.BytesIO(data)) as file:
        for frame in file.decode(audio=0):
            parts += [each.to_ndarray()[0] for each in resampler.resample(frame)]
    return np.concatenate(parts)


async def transcribe(sandbox: Sandbox, sound: Any) -> str:
    """Transcribe the last sentence that was recorded."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(last(sound).tobytes())
    form = FormData()
    form.add_field("model", "voxtral-mini-2602")
    form.add_field("file", file.getvalue(), filename="a.wav", content_type="audio/wav")
    url = f"{sandbox.url}/v1/audio/transcriptions"
    headers = {"Authorization": f"Bearer {sandbox.key}"}
    async with (
        ClientSession(timeout=ClientTimeout(60)) as session,
        session.post(url, data=form, headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["text"])


def last(sound: Any) -> Any:
    """Cut out what was said after the last silence that parts two things."""
    block = RATE // 10
    loud = [level(sound[at : at + block]) > 150 for at in range(0, len(sound) - block, block)]
    start = run = 0
    for at, is_loud in enumerate(loud):
        if not is_loud:
            run += 1
            continue
        if run * block >= BETWEEN * RATE:
            start = at
        run = 0
    return sound[max(0, start - 2) * block :]


def error_rate(said: str, understood: str) -> float:
    """Word error rate: edits for each word that was said; what was said before costs nothing."""
    want, got = (re.findall(r"[a-z']+", text.lower()) for text in (said, understood))
    row = [0] * (len(got) + 1)
    for i, word in enumerate(want, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(got, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1] / len(want)


def figures(text: str) -> list[float]:
    """All numbers of a text."""
    return [
        float(found.replace(",", "")) for found in re.findall(r"[\d,]+(?:\.\d+)?(?= ?ms)", text)
    ]


def samples(data: bytes) -> Any:
    return np.frombuffer(data[: len(data) // 2 * 2], np.int16)


def stereo(wav: bytes) -> tuple[Any, Any, int]:
    """Read a call's recording: the caller's samples, the agent's, and their rate."""
    with wave.open(io.BytesIO(wav)) as file:
        assert file.getnchannels() == 2
        both = samples(file.readframes(file.getnframes())).reshape(-1, 2)
        return both[:, 0], both[:, 1], file.getframerate()


def level(sound: Any) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) if len(sound) else 0.0

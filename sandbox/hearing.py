"""Hearing: Silero finds speech, Moonshine tiny-en writes it down (English only).

Moonshine's transcriber is not thread-safe (concurrent calls mix their texts), so one thread
owns it and takes decodes by urgency: finals before partials. Both engines let go of the
interpreter's lock while they compute, so the event loop keeps its pace.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import importlib.util
import itertools
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vivavoce.sandbox.pcm import HEARING_RATE, Samples
from vivavoce.sandbox.segment import WINDOW

_FIX = "pip install 'moonshine-voice==0.1.0' (exactly: later wheels no longer carry the model)"
# The model hears the last word of a clip that ends abruptly badly, so silence is put behind it.
_TAIL = np.zeros(HEARING_RATE // 5, np.float32)
# Its answer to a clip without words, bare; a "you" that was said comes with a full stop.
_NOTHING = "You"
_OLD_SPELLING = re.compile(r"\b([Tt]o)-(day|morrow|night)\b")


class EngineMissingError(RuntimeError):
    """An engine or its data is not installed; the message names the fix."""


def _package(name: str) -> Path | None:
    """Find a package's folder without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def moonshine_model() -> Path:
    """Find the folder of the English tiny model.

    Raises:
        EngineMissingError: When the wheel is missing or is one without the model.
    """
    package = _package("moonshine_voice")
    if package is None:
        raise EngineMissingError(f"moonshine-voice is not installed: {_FIX}")
    model = package / "assets" / "tiny-en"
    for name in ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"):
        if not (model / name).is_file():
            raise EngineMissingError(f"moonshine-voice has no {name}: {_FIX}")
    return model


def silero_model() -> Path:
    """Find the Silero ONNX file that pipecat's wheel carries; pipecat is not imported.

    Raises:
        EngineMissingError: When pipecat-ai is not installed or carries no such file.
    """
    package = _package("pipecat")
    model = None if package is None else package / "audio" / "vad" / "data" / "silero_vad.onnx"
    if model is None or not model.is_file():
        raise EngineMissingError("silero_vad.onnx is missing: pip install 'pipecat-ai>=1.14,<1.15'")
    return model


class SpeechProbability:
    """One session's Silero state: how likely each 32 ms window is speech.

    Not thread-safe; one session's windows come one after the other. 0.12 ms a window.
    """

    def __init__(self, session: Any) -> None:
        """Take the process-wide ``onnxruntime.InferenceSession`` (itself thread-safe)."""
        self._session = session
        self._state: npt.NDArray[np.float32] = np.zeros((2, 1, 128), np.float32)
        self._input: npt.NDArray[np.float32] = np.zeros((1, 64 + WINDOW), np.float32)
        self._rate = np.array(HEARING_RATE, np.int64)

    def __call__(self, window: Samples) -> float:
        """Take the next 512 samples at 16 kHz; give 0..1."""
        # The model wants the 64 samples before the window in front of it.
        self._input[0, :64] = self._input[0, -64:]
        self._input[0, 64:] = window
        inputs = {"input": self._input, "state": self._state, "sr": self._rate}
        probability, self._state = self._session.run(None, inputs)
        return float(probability[0, 0])


class _Moonshine:
    """The C library's transcriber, called with numpy memory instead of Python lists."""

    def __init__(self) -> None:
        model = moonshine_model()
        from moonshine_voice.moonshine_api import ModelArch, TranscriptC
        from moonshine_voice.transcriber import Transcriber

        self._transcript = TranscriptC
        # vad_threshold 0: its own VAD invents leading words; segments come cut already.
        self._transcriber = Transcriber(str(model), ModelArch.TINY, options={"vad_threshold": 0})

    def decode(self, samples: Samples) -> str:
        audio = np.ascontiguousarray(np.concatenate((samples, _TAIL)), np.float32)
        out = ctypes.POINTER(self._transcript)()
        error = self._transcriber._lib.moonshine_transcribe_without_streaming(  # noqa: SLF001
            self._transcriber._handle,  # noqa: SLF001
            audio.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            len(audio),
            HEARING_RATE,
            0,
            ctypes.byref(out),
        )
        if error:
            raise RuntimeError(f"Moonshine failed with code {error} on {len(audio)} samples")
        if not out:
            return ""
        lines = (out.contents.lines[i].text for i in range(out.contents.line_count))
        text = " ".join(ctypes.string_at(line).decode(errors="ignore") for line in lines if line)
        text = _OLD_SPELLING.sub(r"\1\2", " ".join(text.split()))
        return "" if text == _NOTHING else text

    def close(self) -> None:
        self._transcriber.close()


class Decode:
    """A decode that was asked for; await ``text``, or ``cancel`` it while it waits."""

    def __init__(self, samples: Samples, loop: asyncio.AbstractEventLoop) -> None:
        self.samples = samples
        self.text: asyncio.Future[str] = loop.create_future()
        self._loop = loop
        self.cancelled = False

    def cancel(self) -> None:
        """Drop it unless it is already being decoded; its future is cancelled either way."""
        self.cancelled = True
        self.text.cancel()

    def settle(self, text: str | None, error: BaseException | None) -> None:
        """Hand the outcome to the event loop; called by the engine's thread."""

        def tell() -> None:
            if self.text.done():
                return
            if error is not None:
                self.text.set_exception(error)
            else:
                self.text.set_result(text or "")

        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return


class Hearing:
    """The process's recogniser: one Moonshine, its thread, and Silero for every session.

    ``close`` is idempotent and must run on the event loop's thread or after the loop.
    """

    def __init__(self) -> None:
        """Load both models (about 0.5 s) and warm them.

        Raises:
            EngineMissingError: When a model file is not there.
        """
        moonshine_model()
        self._vad_session = self._load_vad()
        self._moonshine = _Moonshine()
        self._moonshine.decode(np.zeros(HEARING_RATE, np.float32))
        # Windows of all sessions; the GIL is free while the model runs.
        self.vad_threads = ThreadPoolExecutor(2, thread_name_prefix="vad")
        self._queue: list[tuple[int, int, Decode]] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="moonshine", daemon=True)
        self._thread.start()

    @staticmethod
    def _load_vad() -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        path = str(silero_model())
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        SpeechProbability(session)(np.zeros(WINDOW, np.float32))
        return session

    def probability(self) -> SpeechProbability:
        """Give a new session's voice activity detector."""
        return SpeechProbability(self._vad_session)

    @property
    def waiting(self) -> int:
        """How many decodes wait; above 0 partials are better skipped."""
        with self._wake:
            return sum(not job.cancelled for _, _, job in self._queue)

    def decode(self, samples: Samples, *, urgent: bool) -> Decode:
        """Ask for a segment's text; call on the event loop.

        Args:
            samples: float32 at 16 kHz, at most about 15 s.
            urgent: A final, taken before every partial.
        """
        job = Decode(samples, asyncio.get_running_loop())
        with self._wake:
            if self._closed:
                raise RuntimeError("the recogniser is closed")
            heapq.heappush(self._queue, (0 if urgent else 1, next(self._order), job))
            self._wake.notify()
        return job

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._closed)
                if self._closed:
                    break
                _, _, job = heapq.heappop(self._queue)
            if job.cancelled:
                continue
            try:
                text = self._moonshine.decode(job.samples)
            except Exception as error:  # noqa: BLE001 - it is handed to who asked
                job.settle(None, error)
            else:
                job.settle(text, None)
        for _, _, job in self._queue:
            job.settle(None, RuntimeError("the recogniser was closed"))
        self._moonshine.close()

    def close(self) -> None:
        """End the threads; decodes that wait fail. At most the running decode is waited for."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join(5)
        self.vad_threads.shutdown(wait=True, cancel_futures=True)

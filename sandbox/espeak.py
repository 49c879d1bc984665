"""espeak-ng in its worker process: started when needed, restarted when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import struct
import sys
from pathlib import Path

import numpy as np

from vivavoce.sandbox.hearing import EngineMissingError
from vivavoce.sandbox.pcm import Samples

_FIX = "pip install 'espeakng-loader==0.2.4', or on Debian apt install libflite1 for English"
_WORKER = Path(__file__).with_name("espeak_worker.py")
_WORDS_PER_MINUTE = 165
_START_S = 5.0
_CLAUSE_S = 10.0  # a clause of 200 characters takes about 10 ms


class SpeechError(RuntimeError):
    """A clause that could not be spoken, with the engine's reason."""


class Espeak:
    """The worker and its pipes; used from one event loop."""

    def __init__(self) -> None:
        """Check that the library is there; the worker starts with the first clause.

        Raises:
            EngineMissingError: When espeakng-loader is not installed.
        """
        if importlib.util.find_spec("espeakng_loader") is None:
            raise EngineMissingError(f"espeakng-loader is not installed: {_FIX}")
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._closed = False
        self.rate = 22_050  # Hz, confirmed by the worker

    @property
    def pid(self) -> int | None:
        """The worker's process id, None while there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def say(self, text: str, *, language: str, female: bool, speed: float = 1.0) -> Samples:
        """Speak one clause whole: float32 samples at ``rate``; ``speed`` 1.0 is as usual.

        A worker that died is restarted, and the clause tried once more. Cancelling kills the
        worker: its pipe holds the rest of a clause that nobody wants.

        Raises:
            SpeechError: When the engine refuses, or died twice.
        """
        request = {
            "text": text,
            "language": language,
            "female": female,
            "rate": round(min(max(_WORDS_PER_MINUTE * speed, 80), 450)),  # its own limits
        }
        async with self._lock:
            for attempt in (1, 2):
                try:
                    async with asyncio.timeout(_START_S + _CLAUSE_S):
                        return await self._clause(json.dumps(request).encode() + b"\n")
                except (OSError, EOFError, TimeoutError) as error:
                    await self._kill()
                    if attempt == 2:
                        msg = f"espeak-ng's worker died twice over {text[:60]!r}"
                        raise SpeechError(msg) from error
                except asyncio.CancelledError:
                    await self._kill()
                    raise
        raise AssertionError

    async def _clause(self, request: bytes) -> Samples:
        process = await self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request)
        await process.stdin.drain()
        audio = bytearray()
        while True:
            kind, body = await self._frame(process.stdout)
            if kind == b"A":
                audio += body
            elif kind == b"E":
                raise SpeechError(body.decode())
            elif kind == b"D":
                return np.frombuffer(audio, "<i2").astype(np.float32) / np.float32(32768)

    async def _started(self) -> asyncio.subprocess.Process:
        if self._closed:
            raise SpeechError("the speech engine is closed")
        if self._process is not None and self._process.returncode is None:
            return self._process
        # -I: the worker sees neither this folder nor the user's, only what is installed.
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_WORKER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        kind, body = await self._frame(self._process.stdout)
        if kind != b"R":
            raise SpeechError(body.decode())
        self.rate = int(body)
        return self._process

    @staticmethod
    async def _frame(pipe: asyncio.StreamReader) -> tuple[bytes, bytes]:
        head = await pipe.readexactly(5)
        return head[:1], await pipe.readexactly(struct.unpack("<I", head[1:])[0])

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()  # ours and killed: the kernel ends it at once

    async def close(self) -> None:
        """End the worker; idempotent."""
        self._closed = True
        await self._kill()

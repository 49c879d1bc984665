"""An engine: a process that holds calls, and a caller who talks with it in real time."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency.wire import BLOCK, RATE, pack, receive
from benchmarks.measured import READY, Measured
from vivavoce.pipelines.benching.callers import Caller
from vivavoce.pipelines.benching.listening import Listening, goes_on
from vivavoce.pipelines.benching.process import ChildError
from vivavoce.pipelines.benching.take import Packet, Take

DRAIN = 5.0
"""Seconds a write to it may take."""


class Engine(Measured):
    """One engine's process.

    Attributes:
        turns: What it told of its turns, in order, by call (our ledger).
    """

    def __init__(self, name: str, python: Path | str, module: str, options: dict[str, Any]) -> None:
        """Prepare it; nothing runs yet.

        Args:
            name: As in the roster.
            python: The interpreter of its environment.
            module: What its process runs.
            options: What that takes: url, keys (one for each call), variant.
        """
        super().__init__(name, python, module, options)
        self.turns: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        self._takes: dict[int, tuple[float, Listening]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._failed = ""
        self._started = asyncio.Event()

    async def start(self) -> None:
        """Start it and wait until it holds its calls.

        Raises:
            ChildError: If it ends or is not ready in time; nothing is left running.
        """
        await self.spawn()
        self._reading = asyncio.create_task(self._read(), name=f"read {self.name}")
        try:
            async with asyncio.timeout(READY):
                await self._started.wait()
        except TimeoutError:
            self._failed = f"it was not ready within {READY:g} s"
        except BaseException:
            await self.close()
            raise
        if self._failed:
            await asyncio.sleep(0)  # its last words
            await self.close()
            raise ChildError(f"{self.name}: {self._failed}\n{self.log}")

    async def _read(self) -> None:
        loop, stdout = asyncio.get_running_loop(), self.stdout
        while (message := await receive(stdout)) is not None:
            kind, call, payload = message
            if kind == b"A":
                if (taking := self._takes.get(call)) is None:
                    continue
                began, take = taking
                pcm = np.frombuffer(payload, np.int16)
                peak = int(np.abs(pcm.astype(np.int32)).max(initial=0))
                rate: int = self.ready["rate"]
                packet = Packet(loop.time() - began, len(pcm) / rate, peak, goes_on(pcm, rate))
                take.add(packet)
            elif kind == b"T":
                self.turns[call].append(json.loads(payload))
            elif kind == b"Y":
                self.ready = json.loads(payload)
                self._started.set()
            elif kind == b"X":
                self._failed = payload.decode(errors="replace")
        self._failed = self._failed or "it ended"
        self._started.set()

    async def play(self, caller: Caller, call: int = 0) -> Take:
        """Let a caller talk with it, in real time; return what was heard.

        Cancelling it hangs up the caller and leaves the engine as it is.

        Raises:
            ChildError: If the engine ends on the way.
        """
        loop, stdin = asyncio.get_running_loop(), self.stdin
        began = loop.time()
        take = Listening()
        self._takes[call] = (began, take)
        number = 0
        try:
            while (samples := caller.block(number, take)) is not None:
                number += 1
                due = began + number * BLOCK / RATE
                if (ahead := due - loop.time()) > 0:
                    await asyncio.sleep(ahead)
                if self._failed:
                    raise ChildError(f"{self.name}: {self._failed}\n{self.log}")
                stdin.write(pack(b"A", call, samples.tobytes()))
                take.late = max(take.late, loop.time() - due)
                async with asyncio.timeout(DRAIN):
                    await stdin.drain()
        except (ConnectionError, TimeoutError) as error:
            raise ChildError(f"{self.name}: it takes no audio ({error!r})\n{self.log}") from error
        finally:
            self._takes.pop(call, None)
        return take

    async def close(self, farewell: bytes = b"") -> None:
        """End it: orderly, and by force after 15 s. Idempotent."""
        reading, self._reading = self._reading, None
        try:
            await super().close(farewell or pack(b"Q", 0, b""))
        finally:
            if reading is not None:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

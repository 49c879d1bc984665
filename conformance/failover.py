"""Failover: a stage's provider fails, and another one takes over, in another dialect."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from conformance.frame import Cell, Lab, Outcome, prove, same_words
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.models.interfaces import Samples
from vivavoce.pipelines.models.wishes import Wishes
from vivavoce.pipelines.turns.endpointing import TurnEvent

CAPABILITY = "failover"
SAID = ["Hello there.", "A table for four, please.", "At eight.", "Good bye."]
TEXT = "Yes, two tables are free tonight, and one of them is by the window with a view of the sea."

HEARING: dict[str, dict[str, Any] | None] = {
    "not there": None,
    "401": {"kind": "status", "status": 401},
    "503": {"kind": "status", "status": 503},
    "stall at the start": {"kind": "stall", "at": "open"},
    "reset before each final": {"kind": "reset", "at": "done"},
    "finals that never come": {"kind": "lost_done"},
}
SPEAKING: dict[str, dict[str, Any] | None] = {
    "not there": None,
    "401": {"kind": "status", "status": 401},
    "403 (moderation)": {"kind": "status", "status": 403},
    "429, Retry-After": {"kind": "status", "status": 429, "retry_after": 30},
    "503": {"kind": "status", "status": 503},
    "slow first byte": {"kind": "slow", "ms": 5000},
    "no audio": {"kind": "empty"},
    "reset": {"kind": "reset"},
    "reset within a clause": {"kind": "reset", "after": 2},
    "stall within a clause": {"kind": "stall", "after": 2},
}


class Listener:
    """Keeps what a call would be told."""

    def __init__(self) -> None:
        self.finals: list[tuple[int, str]] = []
        self.troubles: list[ModelError] = []
        self.told = asyncio.Event()

    def on_partial(self, segment: int, text: str) -> None:
        """Not needed."""

    def on_final(self, segment: int, text: str) -> None:
        """Keep it."""
        self.finals.append((segment, text))
        self.told.set()

    def on_turn(self, kind: TurnEvent, seconds_ago: float) -> None:
        """Not asked for."""

    def on_trouble(self, error: ModelError, *, lost: bool) -> None:
        """Keep it."""
        del lost
        self.troubles.append(error)


def nowhere(like: Endpoint) -> Endpoint:
    """Return an endpoint at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return replace(like, url=f"http://127.0.0.1:{taken.getsockname()[1]}", model="gone")


def voice(seconds: float) -> bytes:
    """Return something that counts as speech for a scripted ear."""
    tone = 6_000 * np.sin(np.arange(round(seconds * 16_000)) / 9)
    return tone.astype(np.int16).tobytes()


async def hears(lab: Lab, pair: tuple[str, str], fault: dict[str, Any] | None) -> Outcome:
    """Four utterances, each of which must be told once, whoever transcribes it."""
    faults = {"hear": [fault]} if fault else {}
    one = lab.endpoint("hear", pair[0], script={"hear": [""] * 30}, faults=faults)
    if fault is None:
        one = nowhere(one)
    two = lab.endpoint("hear", pair[1], script={"hear": SAID})
    waits = replace(lab.timeouts, connect=0.5, final=0.5)
    listener, longest = Listener(), 0.0
    async with Models.connect(hear=[one, two], think=two, speak=two, timeouts=waits) as models:
        hearing = models.hearing(Wishes())
        await hearing.open(listener)
        try:
            for number in range(len(SAID)):
                began = time.monotonic()
                hearing.send(voice(0.5))
                hearing.flush()
                async with asyncio.timeout(20):
                    while len(listener.finals) <= number:
                        listener.told.clear()
                        await listener.told.wait()
                longest = max(longest, time.monotonic() - began)
        finally:
            await hearing.close()
    prove(not listener.troubles, f"the call was told {listener.troubles}")
    prove([number for number, _ in listener.finals] == [0, 1, 2, 3], "an utterance is missing")
    proof = same_words(" ".join(SAID), " ".join(text for _, text in listener.finals))
    return Outcome(f"understood, once {longest:.1f} s late", proof)


async def spoken(models: Models) -> tuple[Samples, float]:
    """Speak; return the audio and the longest wait for a piece of it."""
    parts, longest, last = [], 0.0, time.monotonic()
    stream = models.speaking.stream(TEXT, voice=None, language="en")
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            now = time.monotonic()
            longest, last = max(longest, now - last), now
            parts.append(chunk)
    return np.concatenate(parts), longest


async def speaks(lab: Lab, pair: tuple[str, str], fault: dict[str, Any] | None) -> Outcome:
    """A clause, all of which must be spoken, once."""
    faults = {"speak": [fault]} if fault else {}
    one = lab.endpoint("speak", pair[0], faults=faults)
    if fault is None:
        one = nowhere(one)
    two, whole = lab.endpoint("speak", pair[1]), lab.endpoint("speak", pair[1])
    other = lab.endpoint("hear")
    waits = replace(lab.timeouts, first=15.0, stall=2.0, switch=1.5)
    async with Models.connect(hear=other, think=other, speak=whole) as models:
        expected, _ = await spoken(models)
        rate = models.speaking.rate
    async with Models.connect(hear=other, think=other, speak=[one, two], timeouts=waits) as models:
        audio, pause = await spoken(models)
        seconds, wanted = len(audio) / models.speaking.rate, len(expected) / rate
    bodies = lab.report(two)["bodies"]
    asked = [body["body"]["input"] for body in bodies if "input" in body["body"]]
    prove(len(asked) == 1, f"the second was asked for {asked}")
    proof = f"{seconds:.1f} s of speech where {wanted:.1f} s say all of it"
    prove(abs(seconds - wanted) < 0.9, proof)
    if fault is None or "after" not in fault:
        prove(asked == [TEXT], "the second was not asked for all of it")
        return Outcome(f"all of it, {pause:.1f} s late", proof)
    prove(TEXT.endswith(asked[0]) and f" {asked[0]}" in TEXT, f"it went on with {asked[0]!r}")
    first = asked[0].split()[0]
    return Outcome(
        f"goes on at a word, {pause:.1f} s late, in another voice", f"{proof}; at {first!r}"
    )


def cells() -> Iterable[Cell]:
    """Return all cells."""
    for one, two in (("mistral", "vllm"), ("vllm", "mistral")):
        for name, fault in HEARING.items():
            run = partial(hears, pair=(one, two), fault=fault)
            yield Cell(f"hearing: {one}, else {two}", name, run)
    for one, two in (("mistral", "vllm"), ("vllm", "mistral")):
        for name, fault in SPEAKING.items():
            run = partial(speaks, pair=(one, two), fault=fault)
            yield Cell(f"speaking: {one}, else {two}", name, run)

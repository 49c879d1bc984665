"""Live transcription: two utterances of a call in every dialect, and what breaks the connection."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.hearing.cutter import Cutter
from benchmarks.hearing.passage import RATE, Listener, Passage, play, spoken
from conformance.frame import Cell, Lab, Outcome, prove, same_words
from vivavoce.pipelines.models import providers
from vivavoce.pipelines.models.hearing import MistralHearing, Spoken
from vivavoce.pipelines.models.http import Endpoint, Http, Timeouts
from vivavoce.pipelines.models.interfaces import Hearing
from vivavoce.pipelines.models.wishes import TurnDetection, WishError, Wishes
from vivavoce.pipelines.turns.endpointing import TurnEvent

CAPABILITY = "live transcription"
MODELS = {
    "mistral 2602": ("mistral", "voxtral-mini-transcribe-realtime-2602"),
    "mistral 3-0": ("mistral", "voxtral-mini-transcribe-realtime-3-0"),
    "vllm": ("vllm", "mistralai/Voxtral-Mini-4B-Realtime-2602"),
}
SAID = ("I would like a table for four people this evening.", "Can we sit outside, please?")
PATIENT = Timeouts(connect=5, final=8)
IMPATIENT = Timeouts(connect=5, final=4)
"""Where an answer is waited for that does not come; a busy machine has a slow recogniser."""
KEEN = Wishes(language="en", context_bias=("Chez Marie", "terrace"), delay_ms=240)

# What breaks a connection: it is replaced, and the audio without a final text sent again.
BROKEN: dict[str, dict[str, Any]] = {
    "1006 (reset) mid-utterance": {"kind": "reset", "at": "audio", "after": 2},
    "1006 (reset) before done": {"kind": "reset", "at": "done"},
    "1008 mid-call": {"kind": "close", "code": 1008, "at": "done"},
    "1011 mid-utterance": {"kind": "close", "code": 1011, "at": "audio", "after": 2},
    "blank-token rut": {"kind": "rut", "after": 0},
    "503 at the upgrade": {"kind": "status", "status": 503},
    "429, Retry-After": {"kind": "status", "status": 429, "retry_after": 1},
    "slow upgrade": {"kind": "slow", "ms": 800},
}
ERRORS: dict[str, dict[str, dict[str, Any]]] = {
    "mistral": {"error 3804": {"kind": "error", "code": 3804, "at": "audio", "after": 2}},
    "vllm": {"error processing_error": {"kind": "error", "at": "audio", "after": 2}},
}
FULL = {"kind": "full", "after": 2}
# What an answer looks like, when it comes at all.
ANSWERS: dict[str, dict[str, Any]] = {
    "done missing": {"kind": "lost_done"},
    "done late": {"kind": "slow", "at": "done", "ms": 5000},
    "stall mid-call (as after 35 s)": {"kind": "stall", "at": "audio", "after": 2},
}
SHAPES: dict[str, dict[str, Any]] = {
    "done of the whole session": {"kind": "cumulative", "on": 2},
    "characters split over frames": {"kind": "split_bytes", "on": ()},
}
DONE = {
    "before": "done before turn.end",
    "after": "done after turn.end",
    "none": "turn.end without done",
}
REFUSED: dict[str, dict[str, Any]] = {
    "401": {"kind": "status", "status": 401},
    "401 as an error event": {
        "kind": "error",
        "at": "open",
        "code": 401,
        "message": "Unauthorized",
    },
    "1008 for a wrong key": {
        "kind": "close",
        "at": "open",
        "code": 1008,
        "message": "Invalid API key",
    },
}
ASKED: dict[str, dict[str, Wishes]] = {
    "mistral 2602": {
        "diarize live": Wishes(diarize=True),
        "turn detection": Wishes(turns=True),
        "a language": Wishes(language="en"),
        "words to expect": Wishes(context_bias=("Chez Marie",)),
    },
    "vllm": {"a delay": Wishes(delay_ms=240), "a language": Wishes(language="en")},
}
NEVER: dict[str, dict[str, Any]] = {
    "101 words to expect": {"context_bias": ("term",) * 101},
    "a delay of 70 ms": {"delay_ms": 70},
    "turn detection and diarize": {"turns": True, "diarize": True},
}

_voice: dict[str, list[NDArray[np.int16]]] = {}


async def utterances(lab: Lab) -> list[NDArray[np.int16]]:
    """Return what is said, spoken once by the sandbox."""
    if not _voice:
        http = Http(PATIENT)
        try:
            _voice["said"] = await spoken(http, lab.endpoint("speak"), SAID)
        finally:
            await http.close()
    return _voice["said"]


@asynccontextmanager
async def heard(
    where: Endpoint, timeouts: Timeouts, wishes: Wishes | None = None
) -> AsyncIterator[tuple[Hearing, Turned]]:
    """Open a call's transcription as a call does."""
    hearing, listener = providers.hearing(where, timeouts)(wishes or Wishes()), Turned()
    await hearing.open(listener)
    try:
        yield hearing, listener
    finally:
        await hearing.close()


class Turned(Listener):
    """Keeps the turns too."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[TurnEvent] = []

    def on_turn(self, kind: TurnEvent, seconds_ago: float) -> None:  # noqa: ARG002 - counted only
        """Keep it."""
        self.turns.append(kind)
        self.told.set()


def endpoint(lab: Lab, provider: str, fault: dict[str, Any] | None = None, **more: Any) -> Endpoint:
    """Return a provider under a key of its own, whose first connection or utterance is struck."""
    dialect, model = MODELS[provider]
    faults = {"hear": [{"on": 1, **fault}]} if fault else {}
    return lab.endpoint("hear", dialect, model=model, faults=faults, **more)


def proof(listener: Listener) -> str:
    """Prove that each utterance was told once, in order and whole."""
    found = [text for _, text in listener.finals]
    prove([n for n, _ in listener.finals] == [0, 1], f"final texts are {listener.finals}")
    for wanted, text in zip(SAID, found, strict=True):
        same_words(wanted, text)
    prove(not listener.troubles, f"it was told: {listener.troubles[:1]}")
    return same_words(" ".join(SAID), " ".join(found))


async def call(
    lab: Lab,
    provider: str,
    fault: dict[str, Any] | None = None,
    timeouts: Timeouts = PATIENT,
    wishes: Wishes | None = None,
    *,
    full: bool = False,
) -> Outcome:
    """Two utterances over a connection that a fault strikes."""
    where = endpoint(lab, provider, fault)
    slowest = 0.0
    async with heard(where, timeouts, wishes) as (hearing, listener):
        for number, pcm in enumerate(await utterances(lab)):
            for part in (bytes(2 * RATE), pcm.tobytes(), bytes(RATE)):
                for at in range(0, len(part), 640):
                    hearing.send(part[at : at + 640])
            if full:
                await until(lambda: lab.report(where)["connections"] == 2)
            hearing.flush()
            asked = time.monotonic()
            await listener.until(number + 1, 30)
            slowest = max(slowest, time.monotonic() - asked)
        words = proof(listener)
    report = lab.report(where)
    count = report["connections"]
    late = timeouts is IMPATIENT and slowest >= 1
    felt = f"the words, once {slowest:.0f} s late" if late else "the words"
    return Outcome(felt, f"{words}; {count} connection{'s' if count > 1 else ''}")


async def cut(lab: Lab, provider: str, seed: int = 1) -> Outcome:
    """Connections cut at random moments, in the middle of a frame."""
    passage = Passage.of(await utterances(lab), 2.0)
    where = endpoint(lab, provider)
    dice = random.Random(seed)
    cuts = [dice.uniform(0.1, passage.seconds / 8) for _ in range(2)]
    async with Cutter(where.url, cuts, "reset", seed) as cutter:
        at = Endpoint(cutter.url, where.key, where.model, where.dialect)
        async with heard(at, PATIENT) as (hearing, listener):
            await play(passage, hearing, listener, 8.0)
            words = proof(listener)
        prove(cutter.connections > 1, "nothing was cut")
    return Outcome("the words", f"{words}; {cutter.connections} connections")


async def refused(lab: Lab, provider: str, fault: dict[str, Any]) -> Outcome:
    """A key that is not taken, told in each way."""
    where = endpoint(lab, provider, fault)
    async with heard(where, IMPATIENT) as (hearing, listener):
        await until(lambda: listener.troubles)
        hearing.flush()
        await listener.until(1, 5)
    error = listener.troubles[0]
    prove(error.kind == "auth" and error.lasting, f"it is taken for {error.kind}")
    prove("\n" not in str(error) and where.key not in str(error), "not one line without secrets")
    return Outcome("an apology at once", f"told in one line that it is the key: {error.kind}")


async def not_taken(lab: Lab, provider: str, wishes: Wishes) -> Outcome:
    """What the model does not take."""
    where = endpoint(lab, provider)
    async with heard(where, IMPATIENT, wishes) as (_, listener):
        await until(lambda: listener.troubles)
    prove(lab.report(where)["connections"] == 0, "a connection was opened")
    line = str(listener.troubles[0]).removeprefix("hearing: ").partition(" — ")[0]
    prove("\n" not in line, "not one line")
    return Outcome(f"refused here: {line}", "no connection was opened")


async def never_taken(lab: Lab, asked: dict[str, Any]) -> Outcome:  # noqa: ARG001 - needs no lab
    """What no model takes."""
    try:
        Wishes(**asked)
    except WishError as error:
        return Outcome(f"refused here: {error}", "nothing was sent")
    raise AssertionError("it is taken")


async def turns(lab: Lab, done: str) -> Outcome:
    """Turn events, with final texts on either side of the end, or none."""
    where = endpoint(lab, "mistral 3-0", turns={"done": done})
    wishes = Wishes(turns=TurnDetection(min_silence_ms=400))
    async with heard(where, PATIENT, wishes) as (hearing, listener):
        for number, pcm in enumerate(await utterances(lab)):
            for part in (bytes(2 * RATE), pcm.tobytes(), bytes(3 * RATE)):
                for at in range(0, len(part), 640):
                    hearing.send(part[at : at + 640])
            await until(lambda ends=number + 1: listener.turns.count("end") >= ends)
            if done == "none":
                hearing.flush()
            await listener.until(number + 1, 10)
        words = proof(listener)
    prove(listener.turns.count("start") == 2, f"turns are {listener.turns}")
    return Outcome("the words, as soon as the turn is over", words)


async def speakers(lab: Lab) -> Outcome:
    """Who said what, where the model tells."""
    where = endpoint(lab, "mistral 3-0")
    told: list[tuple[int, Spoken]] = []
    listener = Listener()
    hearing = MistralHearing(
        where, PATIENT, Wishes(diarize=True), on_spoken=lambda *each: told.append(each)
    )
    await hearing.open(listener)
    try:
        for number, pcm in enumerate(await utterances(lab)):
            hearing.send(bytes(2 * RATE) + pcm.tobytes() + bytes(RATE))
            hearing.flush()
            await listener.until(number + 1, 10)
    finally:
        await hearing.close()
    words = proof(listener)
    same_words(" ".join(SAID), " ".join(spoken.text for _, spoken in told))
    prove(all(each.speaker and each.end for _, each in told), f"told {told}")
    return Outcome("the words, each with its speaker", words)


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait for something.

    Raises:
        TimeoutError: If it does not come.
    """
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - of another process, partly
            await asyncio.sleep(0.02)


def _broken(provider: str) -> Iterable[tuple[str, dict[str, Any]]]:
    return (BROKEN | ERRORS[MODELS[provider][0]]).items()


def cells() -> Sequence[Cell]:
    """Return all cells."""
    found = []
    for provider in MODELS:
        add = partial(Cell, provider)
        found.append(add("works", partial(call, provider=provider)))
        if provider == "mistral 3-0":
            wishes = partial(call, provider=provider, wishes=KEEN)
            found.append(add("language, words to expect, delay", wishes))
            found.append(add("speakers", speakers))
            for done, told in DONE.items():
                found.append(add(told, partial(turns, done=done)))
        for name, fault in _broken(provider):
            found.append(add(name, partial(call, provider=provider, fault=fault)))
        for name, fault in ANSWERS.items():
            run = partial(call, provider=provider, fault=fault, timeouts=IMPATIENT)
            found.append(add(name, run))
        if provider == "vllm":
            full = partial(call, provider=provider, fault=FULL, full=True)
            found.append(add("context full (2 h 54 min)", full))
        for name, fault in SHAPES.items():
            if fault["kind"] != "cumulative" or provider != "vllm":
                found.append(add(name, partial(call, provider=provider, fault=fault)))
        found.append(add("cut at random moments", partial(cut, provider=provider)))
        for name, fault in REFUSED.items():
            found.append(add(name, partial(refused, provider=provider, fault=fault)))
        for name, wishes in ASKED.get(provider, {}).items():
            found.append(add(name, partial(not_taken, provider=provider, wishes=wishes)))
    for name, asked in NEVER.items():
        found.append(Cell("mistral 3-0", name, partial(never_taken, asked=asked)))
    return found

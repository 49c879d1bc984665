"""Speech: four dialects, what they refuse, and what breaks them in the middle of a word."""

from __future__ import annotations

import io
import tempfile
import time
import wave
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from numpy.typing import NDArray

from conformance.frame import Cell, Lab, Outcome, prove, same_words, words
from vivavoce.agent.voices import Speaker
from vivavoce.pipelines.models import providers
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.voxtral_com_speech import VoxtralComSpeech
from vivavoce.sandbox.voxtral_com import PRESETS

CAPABILITY = "speech"
MISTRAL, SOCKET, OMNI, VOXTRAL = "mistral", "mistral-realtime", "vllm", "voxtral"
DIALECTS = (MISTRAL, SOCKET, OMNI, VOXTRAL)
MODELS = {SOCKET: "voxtral-mini-tts-realtime-3-0"}
VOICES: dict[str, str | None] = {VOXTRAL: next(iter(PRESETS))}
TEXT = "The little house stands near the river, and two tables are free on Friday evening."
LONG = "We have a table for four by the window. " * 150  # 6,000 characters

TONE = {"speak": "tone"}

# What changes the shape of a stream and not what it says.
SHAPES = {
    "chunks that cut a sample": "odd_chunks",
    "all of it in one chunk": "one_chunk",
    "an end without usage": "no_usage",
}
# What ends it before it begins, and what within.
FAILURES: dict[str, dict[str, Any]] = {
    "401": {"kind": "status", "status": 401},
    "403 (moderation)": {"kind": "status", "status": 403},
    "422": {"kind": "status", "status": 422},
    "429, Retry-After": {"kind": "status", "status": 429, "retry_after": 30},
    "500": {"kind": "status", "status": 500},
    "slow first byte": {"kind": "slow", "ms": 5000},
    "stall": {"kind": "stall"},
    "reset": {"kind": "reset"},
    "no audio": {"kind": "empty"},
}
WITHIN: dict[str, dict[str, Any]] = {
    "stall mid-speech": {"kind": "stall", "after": 1},
    "reset mid-speech": {"kind": "reset", "after": 1},
    "closed mid-speech": {"kind": "close", "after": 1},
    "error mid-speech": {"kind": "error", "after": 1, "message": "Out of memory."},
}


@dataclass(slots=True)
class Spoken:
    """What a caller was played.

    Attributes:
        audio: int16 at 24 kHz.
        began: Seconds to the first of it.
        longest: The longest wait between two chunks (s).
    """

    audio: NDArray[np.int16]
    began: float
    longest: float


def at(lab: Lab, dialect: str, **profile: Any) -> Endpoint:
    """Return where a dialect's speech is."""
    return lab.endpoint("speak", dialect, model=MODELS.get(dialect, ""), **profile)


async def speak(
    lab: Lab,
    where: Endpoint | list[Endpoint],
    text: str = TEXT,
    voice: str | Speaker | None = None,
) -> Spoken:
    """Have a text spoken as a call would."""
    first = where[0] if isinstance(where, list) else where
    rest = replace(first, dialect="mistral")
    parts, began, last, longest = [], 0.0, time.monotonic(), 0.0
    start = last
    async with (
        Models.connect(hear=rest, think=rest, speak=where, timeouts=lab.timeouts) as models,
        aclosing(
            models.speaking.stream(text, voice=voice or VOICES.get(first.dialect), language="en")
        ) as chunks,
    ):
        async for chunk in chunks:
            now = time.monotonic()
            began = began or now - start
            longest, last = max(longest, now - last), now
            parts.append(chunk)
    audio = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    return Spoken(audio, began, longest)


async def understood(lab: Lab, audio: NDArray[np.int16]) -> str:
    """Have the sandbox's recogniser write down what was played."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(24_000)
        out.writeframes(audio.tobytes())
    file.seek(0)
    where = lab.endpoint("transcribe")
    form = aiohttp.FormData({"model": where.model})
    form.add_field("file", file, filename="a.wav", content_type="audio/wav")
    http = Http(replace(lab.timeouts, first=20.0))
    try:
        answer = await http.request("hearing", where, "POST", "/v1/audio/transcriptions", form=form)
    finally:
        await http.close()
    return str(answer.json()["text"])


async def works(lab: Lab, dialect: str) -> Outcome:
    """A text is spoken, and understood."""
    spoken = await speak(lab, at(lab, dialect))
    proof = same_words(TEXT, await understood(lab, spoken.audio))
    return Outcome(f"speech after {spoken.began * 1000:.0f} ms", f"{proof}, by a recogniser")


async def shaped(lab: Lab, dialect: str, kind: str) -> Outcome:
    """Another shape of the stream, and the same sound."""
    plain = await speak(lab, at(lab, dialect, script=TONE))
    odd = at(lab, dialect, script=TONE, faults={"speak": [{"kind": kind}]})
    found = await speak(lab, odd)
    prove(np.array_equal(found.audio, plain.audio), "the sound is another one")
    return Outcome("nothing of it", f"{len(found.audio):,} samples, each the same")


async def fails(lab: Lab, dialect: str, fault: dict[str, Any]) -> Outcome:
    """A failure before the first sound: one line, or the next provider's speech."""
    if dialect == SOCKET and fault.get("status") in {401, 429}:
        fault = {**fault, "at": "open"}
    # A tone has the same samples each time; a voice's breath has not.
    plain = await speak(lab, at(lab, dialect, script=TONE))
    await alone(lab, at(lab, dialect, script=TONE, faults={"speak": [fault]}), fault)
    one = at(lab, dialect, script=TONE, faults={"speak": [fault]})
    spoken = await speak(lab, [one, at(lab, dialect, script=TONE)])
    prove(np.array_equal(spoken.audio, plain.audio), "the sound is another one")
    return Outcome(
        f"a pause of {spoken.began:.1f} s before it; with nobody behind: an apology",
        f"{len(spoken.audio):,} samples from the next provider, each as undisturbed",
    )


async def alone(lab: Lab, where: Endpoint, fault: dict[str, Any]) -> None:
    """Prove that a failure with nobody behind it is told in one line, and not asked for again."""
    try:
        spoken = await speak(lab, where)
    except ModelError as error:
        line = str(error)
        prove("\n" not in line and where.key not in line, f"not one line without secrets: {line}")
        prove(error.retry_after == fault.get("retry_after"), "Retry-After is lost")
    else:
        prove(fault["kind"] == "empty" and not len(spoken.audio), "alone, it did not fail")
    prove(lab.report(where)["turns"]["speak"] <= 2, "it was asked for again and again")


async def breaks(lab: Lab, dialect: str, fault: dict[str, Any]) -> Outcome:
    """A failure within the speech: the next provider says the rest."""
    await alone(lab, at(lab, dialect, faults={"speak": [fault]}), fault)
    one = at(lab, dialect, faults={"speak": [fault]})
    two = at(lab, dialect)
    spoken = await speak(lab, [one, two])
    (rest,) = (
        body["text"] if "text" in body else body["input"]
        for body in (each["body"] for each in lab.report(two)["bodies"])
        if "text" in body or "input" in body
    )
    told, expected = await understood(lab, spoken.audio), words(TEXT)
    seam = len(expected) - len(words(rest))
    prove(expected[seam:] == words(rest), f"the rest is {rest!r}")
    again = words(told) == [*expected[: seam + 1], *expected[seam:]]
    proof = f"{len(expected)} of {len(expected)} words" if again else same_words(TEXT, told)
    begun = "; the word that broke off is begun again" if again else ""
    return Outcome(
        f"a pause of {max(spoken.began, spoken.longest):.1f} s within it, and the rest by the next"
        f" provider{begun}; with nobody behind: what was said stays said",
        f"{proof}, by a recogniser",
    )


async def endless(lab: Lab, dialect: str) -> Outcome:
    """A stream that never says that it is over."""
    spoken = await speak(lab, at(lab, dialect, faults={"speak": [{"kind": "no_done"}]}))
    proof = same_words(TEXT, await understood(lab, spoken.audio))
    return Outcome("nothing of it: all was said", f"{proof}, by a recogniser")


async def cut(lab: Lab) -> Outcome:
    """A barge-in on the socket, which has no message for it."""
    where = at(lab, SOCKET, script=TONE, latency={"speak_realtime_factor": 0.3})
    http = Http(lab.timeouts)
    model = providers.speaking(http, where)
    try:
        async with aclosing(model.stream("Good evening.", voice=None, language="en")) as chunks:
            async for _ in chunks:
                pass
        async with aclosing(model.stream(TEXT * 5, voice=None, language="en")) as chunks:
            await anext(chunks)
        cut_at = time.monotonic()
        parts = []
        async with aclosing(model.stream(TEXT, voice=None, language="en")) as chunks:
            async for chunk in chunks:
                parts.append(chunk)
                if len(parts) == 1:
                    waited = time.monotonic() - cut_at
    finally:
        await http.close()
    plain = await speak(lab, at(lab, SOCKET, script=TONE))
    prove(np.array_equal(np.concatenate(parts), plain.audio), "what was cut is heard in the next")
    made = lab.report(where)["spoken_s"] - len(plain.audio) / 24_000
    prove(made < 5, f"the server went on for {made:.1f} s")
    return Outcome(
        f"silence at once, and the next reply {waited * 1000:.0f} ms after it was asked for",
        f"{len(plain.audio):,} samples, none of them of the clause that was cut;"
        f" the server had made {made:.1f} s, and stopped",
    )


async def died(lab: Lab) -> Outcome:
    """A connection that broke since it was last used."""
    fault = {"kind": "reset", "after": 0, "on": [2]}
    where = at(lab, SOCKET, script=TONE, faults={"speak": [fault]})
    http = Http(lab.timeouts)
    model = providers.speaking(http, where)
    found = []
    try:
        for _ in range(2):
            async with aclosing(model.stream(TEXT, voice=None, language="en")) as chunks:
                found.append(np.concatenate([chunk async for chunk in chunks]))
    finally:
        await http.close()
    prove(np.array_equal(*found), "the sound is another one")
    return Outcome(
        "nothing of it", f"{len(found[1]):,} samples over a new connection, each the same"
    )


async def refused(
    lab: Lab,
    dialect: str,
    says: str,
    *,
    text: str = TEXT,
    voice: str | Speaker | None = None,
    language: str = "en",
    here: bool = True,
) -> Outcome:
    """What cannot be is told in one line, before anything is sent where that is known."""
    where = at(lab, dialect)
    http = Http(lab.timeouts)
    model = providers.speaking(http, where)
    line = ""
    try:
        if isinstance(model, VoxtralComSpeech) and len(text) > 5_000:
            await model.generate(text, voice=voice or VOICES[dialect], language=language)
        else:
            stream = model.stream(text, voice=voice or VOICES.get(dialect), language=language)
            async with aclosing(stream) as chunks:
                async for _ in chunks:
                    pass
    except ModelError as error:
        line = str(error)
        prove(error.kind == "refused", f"it is {error.kind}")
    finally:
        await http.close()
    prove(says in line and "\n" not in line, f"it says {line!r}")
    sent = sum(lab.report(where)["requests"].values())
    prove(not here or sent == 0, f"{sent} requests were sent")
    told = line.removeprefix("speaking: ").partition(" — ")[0].replace(where.url, "the server")
    whose = "refused here" if here else "refused there"
    return Outcome(f"{whose}: {told}", "nothing was sent" if here else "one line, no audio")


async def short_sample(lab: Lab, dialect: str, says: str) -> Outcome:
    """A clone of a sample of one second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample.wav"
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(24_000)
            out.writeframes(bytes(48_000))
        outcome = await refused(lab, dialect, says, voice=Speaker(sample=path))
        return replace(outcome, experience=outcome.experience.replace(f"{folder}/", ""))


async def pieces(lab: Lab) -> Outcome:
    """A text beyond voxtral.com's limit, streamed."""
    where = at(lab, VOXTRAL, script={"speak": "tone"}, latency={"speak_char_ms": 1})
    await speak(lab, where, LONG)
    texts = [each["body"]["input"] for each in lab.report(where)["bodies"]]
    prove(all(len(text) <= 5_000 for text in texts), "a piece is too long")
    proof = same_words(LONG, " ".join(texts))
    return Outcome(f"all of it, in {len(texts)} pieces", proof)


def cells() -> Iterable[Cell]:
    """Return all cells."""
    for dialect in DIALECTS:
        yield Cell(dialect, "works", partial(works, dialect=dialect))
        for name, kind in SHAPES.items():
            if (dialect, kind) != (VOXTRAL, "no_usage"):  # it never tells
                yield Cell(dialect, name, partial(shaped, dialect=dialect, kind=kind))
        for name, fault in FAILURES.items():
            yield Cell(dialect, name, partial(fails, dialect=dialect, fault=fault))
        for name, fault in WITHIN.items():
            yield Cell(dialect, name, partial(breaks, dialect=dialect, fault=fault))
        yield Cell(dialect, "no end", partial(endless, dialect=dialect))
        if dialect == SOCKET:
            yield Cell(dialect, "a barge-in", cut)
            yield Cell(dialect, "a connection that died while idle", died)
            yield Cell(dialect, "close 1008", _unknown(dialect))
        elif dialect in {MISTRAL, OMNI}:
            yield Cell(dialect, "an unknown voice", _unknown(dialect))
        if dialect == VOXTRAL:
            yield Cell(dialect, "6,000 characters, streamed", pieces)
            says = "at most 5,000 characters at once, not 6,000"
            yield Cell(
                dialect,
                "6,000 characters, generated",
                partial(refused, dialect=dialect, says=says, text=LONG),
            )
        if dialect != OMNI:
            says = "must last 5 to 30 s" if dialect == VOXTRAL else "must last 3 to 25 s"
            yield Cell(
                dialect, "a sample of 1 s", partial(short_sample, dialect=dialect, says=says)
            )
        else:
            yield Cell(
                dialect,
                "a one-off clone",
                partial(
                    refused,
                    dialect=dialect,
                    says="no encoder to clone with",
                    voice=Speaker(sample=Path("me.wav")),
                ),
            )
        if dialect in {MISTRAL, OMNI}:
            yield Cell(
                dialect,
                "a language it does not speak",
                partial(
                    refused,
                    dialect=dialect,
                    says="does not speak 'ja'",
                    language="ja",
                    voice="en_paul_neutral",
                ),
            )


def _unknown(dialect: str) -> Any:
    return partial(refused, dialect=dialect, says="nobody", voice="nobody", here=False)

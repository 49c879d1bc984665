"""Transcribing files: every provider, in parts and whole, with each fault in the middle of it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from conformance.frame import Cell, Lab, Outcome, prove, same_words
from vivavoce.pipelines.audio.convert import Int16
from vivavoce.pipelines.audio.media import RATE, encode
from vivavoce.pipelines.audio.resample import resample
from vivavoce.pipelines.models.connect import Models
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.transcription.clients import connect
from vivavoce.pipelines.models.transcription.job import (
    Files,
    Job,
    Plan,
    Progress,
    check_plan,
    transcribe_remote,
)
from vivavoce.pipelines.models.transcription.journal import Journal
from vivavoce.pipelines.models.transcription.options import Abilities, Options, RefusedError
from vivavoce.pipelines.models.transcription.request import Waits
from vivavoce.pipelines.models.transcription.retry import Backoff

CAPABILITY = "transcribing files"
PROVIDERS = ("mistral", "vllm", "openrouter")
THIRD = "voxtral-mini-transcribe-3-0"
LINES = (
    "The station is behind the market.",
    "The weather is very nice today.",
    "Please wait for me at the bridge.",
    "He is waiting for you in the kitchen.",
)
TEXT = " ".join(LINES)
HIGHER = 1.25
"""How much higher the second voice is, which says every other line."""
PLAN = Plan(part=4.5, jobs=1, backoff=Backoff(attempts=3, first=0.05))
PARTS = 4
_made: dict[str, Int16] = {}


async def sound(lab: Lab) -> Int16:
    """Have the sandbox speak the lines, in two voices; int16 at 16 kHz."""
    if lab.sandbox.url not in _made:
        where = lab.endpoint("speak")
        parts: list[Int16] = []
        async with Models.connect(hear=where, think=where, speak=where) as models:
            for number, line in enumerate(LINES):
                stream = models.speaking.stream(line, voice=None, language="en")
                async with aclosing(stream) as chunks:
                    said = np.concatenate([chunk async for chunk in chunks])
                rate = round(models.speaking.rate * (HIGHER if number % 2 else 1))
                parts += [resample(said, rate, RATE), np.zeros(RATE, np.int16)]
        _made[lab.sandbox.url] = np.concatenate(parts)
    return _made[lab.sandbox.url]


@asynccontextmanager
async def bench(
    lab: Lab, provider: str, *, model: str = "", **profile: Any
) -> AsyncIterator[tuple[Files, Abilities, Path, Endpoint]]:
    """Give a client, what its model takes, and the recording in a folder of its own."""
    where = lab.endpoint("transcribe", provider, model=model, **profile)
    http = Http(lab.timeouts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "talk.mp3")
        path.write_bytes(encode(await sound(lab), "mp3"))  # noqa: ASYNC240 (nobody else waits)
        try:
            waits = Waits(answer=4.0, per_second=0.2, stall=1.0)
            files, abilities = await connect(http, where, waits)
            yield files, abilities, path, where
        finally:
            await http.close()


def requests(lab: Lab, where: Endpoint) -> int:
    """Return how many recordings were sent under a key."""
    counted = lab.report(where)["requests"]
    return sum(count for name, count in counted.items() if name.endswith("transcriptions"))


async def whole(lab: Lab, provider: str) -> Outcome:
    """One request."""
    async with bench(lab, provider) as (files, abilities, path, where):
        found = await Job(path, files, Options(), abilities, plan=Plan()).run()
        proof = same_words(TEXT, found.text)
        prove(requests(lab, where) == 1, "more than one request")
        cost = f", ${found.cost:.4f}, {found.ids[0][:8]}…" if found.cost and found.ids else ""
        return Outcome(f"the text{cost}", proof)


async def parts(lab: Lab, provider: str) -> Outcome:
    """Four requests, two at once, with times."""
    async with bench(lab, provider) as (files, abilities, path, where):
        job = Job(path, files, Options(times="segment"), abilities, plan=Plan(part=4.5, jobs=2))
        found = await job.run()
        proof = same_words(TEXT, found.text)
        starts = [one.start for one in found.segments]
        prove(len(starts) == len(LINES) and starts == sorted(starts), f"times {starts}")
        count = requests(lab, where)
        prove(count == PARTS, f"{count} requests")
        return Outcome("subtitles of a recording in parts", f"{count} parts, {proof}")


async def speakers(lab: Lab, provider: str) -> Outcome:
    """Two voices keep their names over all parts, whoever begins one."""
    async with bench(lab, provider) as (files, abilities, path, _):
        found = await Job(path, files, Options(diarize=True), abilities, plan=PLAN).run()
        proof = same_words(TEXT, found.text)
        names = [one.speaker for one in found.segments]
        prove(names == ["Speaker 1", "Speaker 2"] * 2, f"speakers {names}")
        return Outcome("who said what, over all parts", f"2 speakers in 4 parts, {proof}")


async def words(lab: Lab, provider: str) -> Outcome:
    """Times of words."""
    async with bench(lab, provider) as (files, abilities, path, _):
        found = await Job(path, files, Options(times="word"), abilities, plan=PLAN).run()
        timed = [word for one in found.segments for word in one.words]
        proof = same_words(TEXT, " ".join(word.text for word in timed))
        times = [word.start for word in timed]
        prove(times == sorted(times), "times that go back")
        return Outcome("each word with its time", proof)


async def remote(lab: Lab, provider: str) -> Outcome:
    """A recording that the server fetches."""
    from aiohttp import web

    async with bench(lab, provider) as (files, abilities, path, _):

        async def give(_request: web.Request) -> web.Response:
            return web.Response(body=path.read_bytes())

        app = web.Application()
        app.router.add_get("/talk.mp3", give)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            url = f"http://{host}:{port}/talk.mp3"
            found = await transcribe_remote(url, files, Options(), abilities, url=True)
        finally:
            await runner.cleanup()
        return Outcome("the text of a URL", same_words(TEXT, found.text))


async def resumed(lab: Lab, provider: str) -> Outcome:
    """Stopped while the third part is under way, and taken up."""
    stall = {"kind": "stall", "on": 3}
    async with bench(lab, provider, faults={"hear": [stall]}) as (files, abilities, path, where):

        async def run() -> Any:
            job = Job(path, files, Options(), abilities, plan=PLAN)
            journal = Journal.open(path.with_suffix(".resume"), job.about())
            try:
                return await job.run(journal)
            finally:
                journal.close()

        running = asyncio.create_task(run())
        while requests(lab, where) < 3:  # noqa: ASYNC110 (it happens in another process)
            await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        proof = same_words(TEXT, (await run()).text)
        count = requests(lab, where)
        prove(count == PARTS + 1, f"{count} requests")
        return Outcome(
            "the same command goes on where it was", f"{count} requests for 4 parts, {proof}"
        )


async def again(lab: Lab, provider: str, fault: dict[str, Any]) -> Outcome:
    """The second part fails once: it is sent again."""
    struck = {**fault, "on": 2}
    async with bench(lab, provider, faults={"hear": [struck]}) as (files, abilities, path, where):
        told: list[Progress] = []
        job = Job(path, files, Options(), abilities, plan=PLAN, tell=told.append)
        found = await job.run()
        proof = same_words(TEXT, found.text)
        count = requests(lab, where)
        prove(count == PARTS + 1, f"{count} requests")
        prove(any("again in" in one.news for one in told), "nothing was told")
        return Outcome("a line, and a part comes later", f"{count} requests for 4 parts, {proof}")


async def given_up(lab: Lab, provider: str, fault: dict[str, Any]) -> Outcome:
    """The second part is refused: one line, and the first is kept for another run."""
    struck = {**fault, "on": 2}
    async with bench(lab, provider, faults={"hear": [struck]}) as (files, abilities, path, where):
        job = Job(path, files, Options(), abilities, plan=PLAN)
        journal = Journal.open(path.with_suffix(".resume"), job.about())
        try:
            await job.run(journal)
        except ModelError as error:
            line = str(error)
        else:
            raise AssertionError("it was not told")
        finally:
            journal.close()
        prove("\n" not in line and where.key not in line, line)
        kept = len(journal)
        prove(kept == 1, f"{kept} parts are kept")
        job = Job(path, files, Options(), abilities, plan=PLAN)
        journal = Journal.open(path.with_suffix(".resume"), job.about())
        try:
            proof = same_words(TEXT, (await job.run(journal)).text)
        finally:
            journal.close()
        return Outcome(line.partition(": ")[2].partition(" — ")[2], f"1 part kept; then {proof}")


async def silent(lab: Lab, provider: str) -> Outcome:
    """No text comes."""
    fault = {"kind": "empty"}
    async with bench(lab, provider, faults={"hear": [fault]}) as (files, abilities, path, _):
        found = await Job(path, files, Options(), abilities, plan=PLAN).run()
        prove(found.text == "" and not found.segments, f"{found.text!r}")
        return Outcome("“no words were understood”", "an empty transcript")


async def refused(lab: Lab, provider: str, options: Options, model: str, why: str) -> Outcome:
    """What the model would refuse is refused here."""
    async with bench(lab, provider, model=model) as (_files, abilities, _path, where):
        try:
            check_plan(options, abilities)
        except RefusedError as error:
            line = str(error)
        else:
            raise AssertionError("it was not refused")
        prove(why in line and "\n" not in line, line)
        prove(requests(lab, where) == 0, "something was sent")
        return Outcome(f"refused here: {line}", "nothing was sent")


FAILURES: dict[str, dict[str, Any]] = {
    "429, Retry-After": {"kind": "status", "status": 429, "retry_after": 0.2},
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503},
    "reset": {"kind": "reset"},
    "close": {"kind": "close"},
    "error": {"kind": "error"},
    "stall": {"kind": "stall"},
}
MIDDLE: dict[str, dict[str, Any]] = {
    "reset mid-text": {"kind": "reset", "after": 1},
    "close mid-text": {"kind": "close", "after": 1},
    "error mid-text": {"kind": "error", "after": 1},
    "stall mid-text": {"kind": "stall", "after": 1},
    "the end is lost": {"kind": "lost_done"},
}
LASTING: dict[str, dict[str, Any]] = {
    "401": {"kind": "status", "status": 401},
    "403, moderation": {"kind": "status", "status": 403},
    "413": {"kind": "status", "status": 413},
}
OPENROUTERS: dict[str, dict[str, Any]] = {
    "524": {"kind": "status", "status": 524},
    "529": {"kind": "status", "status": 529},
}
REFUSED: dict[str, tuple[str, Options, str, str]] = {
    "words timed on 3-0": ("mistral", Options(times="word"), THIRD, "not of words"),
    "language with times on 2602": (
        "mistral",
        Options(times="segment", language="en"),
        "",
        "no times when it is told the language",
    ),
    "101 terms": ("mistral", Options(bias=("word",) * 101), "", "100 is the most"),
    "a comma in a term": ("mistral", Options(bias=("a,b",)), "", "has a comma in it"),
    "speakers on 2507": (
        "mistral",
        Options(diarize=True),
        "voxtral-mini-2507",
        "does not tell speakers apart",
    ),
    "a voice without speakers": (
        "mistral",
        Options(speakers={"Ann": b"RIFF"}),
        THIRD,
        "need --diarize",
    ),
    "speakers": ("vllm", Options(diarize=True), "", "does not tell speakers apart"),
    "words timed": ("vllm", Options(times="word"), "", "gives no times of words"),
}


def cells() -> Iterable[Cell]:
    """Return all cells."""
    for provider in PROVIDERS:
        yield Cell(provider, "works", partial(whole, provider=provider))
        yield Cell(provider, "in parts, with times", partial(parts, provider=provider))
        if provider != "vllm":
            yield Cell(provider, "speakers over parts", partial(speakers, provider=provider))
            yield Cell(provider, "times of words", partial(words, provider=provider))
            yield Cell(provider, "a URL", partial(remote, provider=provider))
        yield Cell(provider, "interrupted", partial(resumed, provider=provider))
        failures = FAILURES | (OPENROUTERS if provider == "openrouter" else MIDDLE)
        for name, fault in failures.items():
            yield Cell(provider, name, partial(again, provider=provider, fault=fault))
        for name, fault in LASTING.items():
            yield Cell(provider, name, partial(given_up, provider=provider, fault=fault))
        yield Cell(provider, "no text", partial(silent, provider=provider))
    for name, (provider, options, model, why) in REFUSED.items():
        run = partial(refused, provider=provider, options=options, model=model, why=why)
        yield Cell(provider, name, run)

"""A recording's transcription: parts, requests, second tries, and all of it put together again."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from vivavoce.pipelines.audio.cuts import Rule
from vivavoce.pipelines.audio.media import RATE, Encoder, probe
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint
from vivavoce.pipelines.models.transcription.journal import Done, Journal, fingerprint
from vivavoce.pipelines.models.transcription.options import (
    Abilities,
    Options,
    RefusedError,
    check,
    check_remote,
)
from vivavoce.pipelines.models.transcription.parts import Part, Parts
from vivavoce.pipelines.models.transcription.retry import Backoff
from vivavoce.pipelines.models.transcription.seams import FRONT, Cast, Front, SeamError, join
from vivavoce.pipelines.models.transcription.sound import Sound
from vivavoce.pipelines.models.transcription.text import Segment, Transcript

log = logging.getLogger("vivavoce")

PART = 15 * 60.0
"""Seconds of a part, where speakers need not be told apart: what a failure costs at most."""
STRETCH = Rule(longest=25.0, window=12.0, pause=0.35, shortest=2.0)
"""How a recording is cut where the model gives no times: each stretch is a segment then."""
_BYTES = 33_000
"""Of a second of FLAC at most: noise cannot be made smaller."""


class Files(Protocol):
    """A model that transcribes files."""

    where: Endpoint

    async def transcribe(
        self, sound: Sound, options: Options, heard: Callable[[float], None]
    ) -> Transcript:
        """Transcribe a recording in one request; see `MistralFiles.transcribe`."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recording's transcription has come.

    Attributes:
        done: Seconds of it that are transcribed.
        total: Seconds of all of it; None before that is known.
        kept: Seconds of `done` that an earlier run has paid for.
        news: Something to tell, such as why a request is made again; else "".
    """

    done: float
    total: float | None
    kept: float = 0.0
    news: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a recording is sent.

    Attributes:
        part: Seconds of a part at most; None leaves it to what the model takes and what is
            wanted of it.
        jobs: Requests at once. One where speakers are told apart: each part is sent with
            samples of the voices before it.
        backoff: When a request is made again.
    """

    part: float | None = None
    jobs: int = 2
    backoff: Backoff = field(default_factory=Backoff)

    def rule(self, options: Options, abilities: Abilities) -> Rule:
        """Return how a recording is cut.

        Raises:
            RefusedError: If the parts asked for are longer than the model takes.
        """
        longest = min(abilities.longest, abilities.largest / _BYTES)
        if self.part is not None and self.part > longest:
            raise RefusedError(
                f"parts of {self.part / 60:g} min: {abilities.model} takes"
                f" {longest / 60:.0f} min at once"
            )
        if by_stretches(options, abilities):
            return STRETCH
        if self.part is not None:
            longest = self.part
        elif not options.diarize:
            longest = min(longest, PART)
        if options.diarize and longest + FRONT > abilities.longest:
            longest -= FRONT
        return Rule(longest, window=min(60.0, longest / 2))


def by_stretches(options: Options, abilities: Abilities) -> bool:
    """Whether times are wanted of a model that gives none, and pauses have to give them."""
    return options.times == "segment" and not abilities.times


def check_plan(options: Options, abilities: Abilities) -> None:
    """Check what is wanted against what a model takes, and what pauses can give.

    Raises:
        RefusedError: With the limit.
    """
    check(_asked(options, abilities), abilities)


def _asked(options: Options, abilities: Abilities) -> Options:
    """Return what the server is asked for.

    Times that it does not have come from pauses. Speakers come with segments, and those with times.
    """
    if by_stretches(options, abilities):
        return replace(options, times="none")
    if options.diarize and options.times == "none":
        return replace(options, times="segment")
    return options


class Job:
    """Transcribes one recording on this machine.

    Args:
        path: The recording.
        files: The model.
        options: What is asked for.
        abilities: What the model takes.
        plan: How it is sent.
        tell: Told of progress, on the event loop; must not block.

    Raises:
        RefusedError: If the model would refuse.
        vivavoce.pipelines.audio.riff.AudioFileError: If the recording cannot be read.
    """

    def __init__(
        self,
        path: Path,
        files: Files,
        options: Options,
        abilities: Abilities,
        *,
        plan: Plan | None = None,
        tell: Callable[[Progress], None] | None = None,
    ) -> None:
        check_plan(options, abilities)
        self._path, self._files = path, files
        self._plan = plan or Plan()
        self._rule = self._plan.rule(options, abilities)
        self._stretches = by_stretches(options, abilities)
        # The journal is about what is wanted; the server is asked for what it has.
        self._wanted, self._options = options, _asked(options, abilities)
        self._tell = tell or (lambda _progress: None)
        self._total = probe(path).seconds
        self._cast = Cast(options.speakers) if options.diarize else None
        self._found: dict[int, tuple[float, Transcript]] = {}
        self._running: dict[int, float] = {}
        self._finished = self._kept = 0.0
        self._failure: Exception | None = None
        self.damaged = 0

    def about(self) -> dict[str, Any]:
        """Return what makes the recording and the request what they are, for a journal."""
        wanted = self._wanted
        voices = {name: hashlib.sha256(data).hexdigest() for name, data in wanted.speakers.items()}
        return {
            "source": fingerprint(self._path),
            "request": {
                "model": self._files.where.model,
                "dialect": self._files.where.dialect,
                "language": wanted.language,
                "times": wanted.times,
                "diarize": wanted.diarize,
                "bias": list(wanted.bias),
                "speakers": voices,
                "temperature": wanted.temperature,
                "part": self._rule.longest,
            },
        }

    async def run(self, journal: Journal | None = None) -> Transcript:
        """Transcribe it.

        Cancelling it ends the requests; what is in the journal by then is not asked for again by
        the next run. The same holds for a failure, before which requests that run are waited for.

        Args:
            journal: Where parts are kept that are done.

        Raises:
            ModelError: If a part fails, and again, or for good.
            vivavoce.pipelines.audio.riff.AudioFileError: If the recording cannot be read.
            vivavoce.pipelines.models.transcription.journal.JournalError: If the journal cannot
                be written.
            OSError: If the disk is full.
        """
        jobs = 1 if self._cast is not None else max(self._plan.jobs, 1)
        slots = asyncio.Semaphore(jobs)
        try:
            async with Parts(self._path, self._rule) as parts, asyncio.TaskGroup() as group:
                while True:
                    await slots.acquire()
                    if self._failure is not None:
                        break
                    part = await parts.next()
                    self.damaged = parts.damaged
                    if part is None:
                        break
                    group.create_task(self._part(part, journal, slots))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None
        if self._failure is not None:
            raise self._failure
        ordered = [self._found[number] for number in sorted(self._found)]
        whole = join(ordered)
        self._say()
        return whole

    async def _part(self, part: Part, journal: Journal | None, slots: asyncio.Semaphore) -> None:
        try:
            await self._settle(part, journal)
        except ModelError as error:
            # The others go on: they are being paid for.
            self._failure = self._failure or error
        finally:
            self._running.pop(part.number, None)
            part.file.close()
            slots.release()

    async def _settle(self, part: Part, journal: Journal | None) -> None:
        had = None
        if journal is not None:
            had = journal.find(part.number, part.start, part.end, part.check)
        if had is not None:
            self._kept += part.seconds
            if self._cast is not None:
                self._cast.meet(had)
            found = had
        elif part.silent:
            found = Transcript("")
        else:
            found = await self._heard(part)
            if journal is not None:
                done = Done(part.start, part.end, part.check, found)
                await asyncio.to_thread(journal.add, part.number, done)
        if self._cast is not None:
            await asyncio.to_thread(self._cast.remember, found.segments, part.cut)
        self._found[part.number] = (part.start / RATE, found)
        self._running.pop(part.number, None)
        self._finished += part.seconds
        self._say()

    async def _heard(self, part: Part) -> Transcript:
        """Send a part until it is understood."""
        front = self._cast.front() if self._cast is not None else Front()
        try:
            found = await self._tried(part, front)
            if self._cast is not None:
                found = self._cast.settle(found, front)
        except SeamError:
            log.info("part %d: sent again without samples of voices", part.number + 1)
            assert self._cast is not None
            found = self._cast.settle(await self._tried(part, Front()), Front())
        if self._stretches and found.text:
            first, last = part.sounds
            one = Segment(found.text, first / RATE, last / RATE)
            return replace(found, segments=(one,))
        return found

    async def _tried(self, part: Part, front: Front) -> Transcript:
        failures = 0
        seconds = part.seconds + front.seconds
        file = part.file
        if front.voices:
            file = await asyncio.to_thread(_fronted, part, front)
        try:
            while True:
                sound = Sound(file, seconds=seconds, name=self._path.stem)

                def heard(end: float) -> None:
                    self._running[part.number] = min(max(end - front.seconds, 0.0), part.seconds)
                    self._say()

                try:
                    return await self._files.transcribe(sound, self._options, heard)
                except ModelError as error:
                    failures += 1
                    wait = self._plan.backoff.wait(error, failures, random.random())
                    if wait is None:
                        raise
                    self._running.pop(part.number, None)
                    self._say(f"{error}; again in {wait:.0f} s")
                    log.info("part %d: %s; again in %.1f s", part.number + 1, error, wait)
                    await asyncio.sleep(wait)
        finally:
            if file is not part.file:
                file.close()

    def _say(self, news: str = "") -> None:
        done = self._finished + sum(self._running.values())
        total = self._total
        if total is not None:
            total = max(total, done)
        self._tell(Progress(done, total, self._kept, news))


async def transcribe_remote(
    where: str,
    files: Files,
    options: Options,
    abilities: Abilities,
    *,
    url: bool,
    backoff: Backoff | None = None,
) -> Transcript:
    """Transcribe a recording that the server fetches, or has: one request, whatever its length.

    Args:
        where: Its URL (`url`), or its id.
        files: The model.
        options: What is asked for.
        abilities: What the model takes.
        url: Which of the two `where` is.
        backoff: When the request is made again.

    Raises:
        RefusedError: If the model would refuse.
        ModelError: If the server fails.
    """
    if by_stretches(options, abilities):
        raise RefusedError(
            f"{abilities.model} gives no times, and only a file on this machine can be cut at its"
            " pauses: download it first"
        )
    check_plan(options, abilities)
    check_remote(where, abilities, url=url)
    # How long it is only the server knows: it has the time that the longest one takes.
    sound = Sound(
        seconds=abilities.longest,
        url=where if url else None,
        id=None if url else where,
        name=where,
    )
    backoff = backoff or Backoff()
    failures = 0
    while True:
        try:
            found = await files.transcribe(sound, _asked(options, abilities), lambda _end: None)
        except ModelError as error:
            failures += 1
            wait = backoff.wait(error, failures, random.random())
            if wait is None:
                raise
            await asyncio.sleep(wait)
        else:
            return Cast(options.speakers).settle(found, Front()) if options.diarize else found


def _fronted(part: Part, front: Front) -> Any:
    """Write samples of voices and a part behind them to a file."""
    file = tempfile.TemporaryFile(prefix="vivavoce-")  # noqa: SIM115
    try:
        with Encoder(file) as encoder:
            encoder.write(front.samples)
            for block in part.blocks():
                encoder.write(block)
    except BaseException:
        file.close()
        raise
    return file

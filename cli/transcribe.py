"""`vivavoce transcribe`: recordings written down, with progress, and taken up again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from vivavoce.agent.settings import Settings
from vivavoce.cli.models import open_sandbox
from vivavoce.cli.recordings import RecordingError, Source, where
from vivavoce.pipelines import subtitles
from vivavoce.pipelines.audio.media import RATE, probe, read
from vivavoce.pipelines.audio.riff import AudioFileError
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Http
from vivavoce.pipelines.models.transcription.clients import connect
from vivavoce.pipelines.models.transcription.job import (
    Files,
    Job,
    Plan,
    Progress,
    check_plan,
    transcribe_remote,
)
from vivavoce.pipelines.models.transcription.journal import Journal, JournalError
from vivavoce.pipelines.models.transcription.options import (
    Abilities,
    Options,
    RefusedError,
    Times,
    check_remote,
    check_sample,
)
from vivavoce.pipelines.models.transcription.text import Transcript

WORTH_LINES = 120.0
"""Seconds of a recording from which progress is told where there is no terminal for a bar."""
STATE = ".resume"
"""What a recording's state file is called behind its name."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the command line asks for.

    Attributes:
        sources: The recordings.
        forms: Which files each becomes.
        out: The folder for them; None prints them.
        options: What is asked of the model, but for times.
        words: Whether words are to be timed.
        model: Its id, if another than the settings' is wanted.
        part: Minutes of a part at most.
        jobs: Requests at once.
        again: Transcribe what there is a transcript of already.
    """

    sources: tuple[Source, ...]
    forms: tuple[subtitles.Form, ...] = ("text",)
    out: Path | None = Path()
    options: Options = field(default_factory=Options)
    words: bool = False
    model: str | None = None
    part: float | None = None
    jobs: int = 2
    again: bool = False

    def outputs(self, source: Source) -> dict[subtitles.Form, Path]:
        """Return the files that a recording becomes."""
        if self.out is None:
            return {}
        return {form: self.out / f"{source.stem}{subtitles.SUFFIXES[form]}" for form in self.forms}

    def state(self, source: Source) -> Path | None:
        """Return a recording's state file; none where nothing is left behind."""
        return None if self.out is None else self.out / f"{source.stem}{STATE}"


def parse_forms(given: Sequence[str]) -> tuple[subtitles.Form, ...]:
    """Read the names of kinds of files.

    Raises:
        RecordingError: If one is unknown.
    """
    found: list[subtitles.Form] = []
    for name in given:
        form = {"txt": "text", "markdown": "md", "webvtt": "vtt"}.get(name, name)
        if form not in get_args(subtitles.Form):
            raise RecordingError(f"--format {name}: choose {', '.join(subtitles.FORMS)}")
        found.append(form)  # type: ignore[arg-type]
    return tuple(dict.fromkeys(found)) or ("text",)


def parse_speakers(given: Sequence[str]) -> dict[str, bytes]:
    """Read samples of voices, each as `NAME=FILE`.

    Raises:
        RecordingError: If one is no such thing.
        AudioFileError: If a file cannot be read.
        RefusedError: If a sample is too short or too long.
    """
    found: dict[str, bytes] = {}
    for one in given:
        name, equals, file = one.partition("=")
        if not equals or not name.strip() or not file:
            raise RecordingError(f"--speaker {one}: write it as NAME=FILE, as in Ann=ann.wav")
        path = Path(file)
        check_sample(name, len(read(path)) / RATE)
        found[name.strip()] = path.read_bytes()
    return found


def times(order: Order, abilities: Abilities) -> Times:
    """Return which times to ask for: those that are needed, and those that cost nothing."""
    if order.words:
        return "word"
    if any(form in subtitles.TIMED for form in order.forms) or order.options.diarize:
        return "segment"
    clash = order.options.language is not None and not abilities.language_with_times
    useful = any(form in {"json", "md"} for form in order.forms)
    return "segment" if useful and "segment" in abilities.times and not clash else "none"


async def transcribe(order: Order, settings: Settings, console: Console) -> int:
    """Transcribe recordings; return the exit code.

    Cancelling it leaves what was done: the same command takes it up.

    Args:
        order: What is asked for.
        settings: Where the models are.
        console: Where progress is shown.

    Raises:
        RefusedError: If the model would refuse; nothing has been sent then.
        AudioFileError: If a recording cannot be read; likewise.
        RecordingError: If the folder cannot be written; likewise.
    """
    # Nothing is paid for before all of them can be read, and no recording is written over.
    for source in order.sources:
        if source.path is not None:
            await asyncio.to_thread(probe, source.path)
            if source.path in order.outputs(source).values():
                raise RecordingError(f"{source.path} would be written over: give another --out")
    todo = _todo(order, console)
    if not todo:
        return 0
    async with open_sandbox(settings, "transcribe") as (url, key):
        model = where(settings, "transcribe", url, key, order.model)
        http = Http()
        try:
            files, abilities = await connect(http, model)
            options = replace(order.options, times=times(order, abilities))
            check_plan(options, abilities)
            for source in todo:
                if source.path is None:
                    remote = source.url or source.id or ""
                    check_remote(remote, abilities, url=source.url is not None)
            at_once = min(max(order.jobs, 1), len(todo))
            part = None if order.part is None else order.part * 60
            plan = Plan(part, jobs=max(order.jobs // at_once, 1))
            plan.rule(options, abilities)
            shown = _Shown(console, quiet=order.out is None)
            work = _Work(order, files, abilities, options, plan, shown)
            with shown:
                return await work.all(todo, at_once)
        finally:
            await http.close()


def _todo(order: Order, console: Console) -> list[Source]:
    """Return the recordings whose files are not there yet, and make the folder for them."""
    if order.out is None:
        return list(order.sources)
    try:
        order.out.mkdir(parents=True, exist_ok=True)
        if not os.access(order.out, os.W_OK):
            raise RecordingError(f"--out {order.out}: the folder cannot be written")
    except OSError as error:
        raise RecordingError(f"--out {order.out}: {error.strerror}") from None
    found = []
    for source in order.sources:
        outputs = order.outputs(source).values()
        if not order.again and all(path.exists() for path in outputs):
            names = ", ".join(str(path) for path in outputs)
            console.print(
                f"[dim]{escape(names)}: there already (--again makes it anew)[/]", soft_wrap=True
            )
            continue
        found.append(source)
    return found


class _Work:
    """Transcribes several recordings at once."""

    def __init__(
        self,
        order: Order,
        files: Files,
        abilities: Abilities,
        options: Options,
        plan: Plan,
        shown: _Shown,
    ) -> None:
        self._order, self._files, self._abilities = order, files, abilities
        self._options, self._plan, self._shown = options, plan, shown
        self._code = 0

    async def all(self, sources: Sequence[Source], at_once: int) -> int:
        slots = asyncio.Semaphore(at_once)
        texts: dict[int, str] = {}

        async def one(number: int, source: Source) -> None:
            async with slots:
                text = await self._one(source)
            if text is not None:
                texts[number] = text

        async with asyncio.TaskGroup() as group:
            for number, source in enumerate(sources):
                group.create_task(one(number, source))
        for number in sorted(texts):
            sys.stdout.write(texts[number])
        sys.stdout.flush()
        return self._code

    async def _one(self, source: Source) -> str | None:
        began = time.monotonic()
        line = self._shown.line(source)
        journal: Journal | None = None
        try:
            if source.path is None:
                remote = source.url or source.id or ""
                found = await transcribe_remote(
                    remote,
                    self._files,
                    self._options,
                    self._abilities,
                    url=source.url is not None,
                    backoff=self._plan.backoff,
                )
                seconds, damaged = found.seconds, 0
            else:
                job = Job(
                    source.path,
                    self._files,
                    self._options,
                    self._abilities,
                    plan=self._plan,
                    tell=line.tell,
                )
                state = self._order.state(source)
                if state is not None:
                    about = await asyncio.to_thread(job.about)
                    journal = await asyncio.to_thread(Journal.open, state, about)
                found = await job.run(journal)
                seconds, damaged = line.seconds, job.damaged
            text = self._write(source, found)
            if journal is not None:
                await asyncio.to_thread(journal.remove)
        except asyncio.CancelledError:
            line.stopped(len(journal) if journal is not None else 0)
            raise
        except (ModelError, AudioFileError, JournalError, RefusedError, OSError) as error:
            self._code = 1
            line.failed(error, len(journal) if journal is not None else 0)
            return None
        finally:
            if journal is not None:
                journal.close()
        line.done(found, seconds, time.monotonic() - began, self._order.outputs(source), damaged)
        return text

    def _write(self, source: Source, found: Transcript) -> str | None:
        texts = {form: subtitles.write(found, form, source.stem) for form in self._order.forms}
        for form, path in self._order.outputs(source).items():
            _replace(path, texts[form])
        return "".join(texts.values()) if self._order.out is None else None


def _replace(path: Path, text: str) -> None:
    """Write a file whole: who looks finds it all, or what was there before."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


class _Shown:
    """Shows progress: bars on a terminal, else a line now and then."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        # What is printed may be on its way into a file.
        self.console = Console(stderr=True) if quiet else console
        self.bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[left]}"),
            console=self.console,
            disable=not self.console.is_terminal,
            transient=True,
        )

    def __enter__(self) -> None:
        self.bars.start()

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def line(self, source: Source) -> _Line:
        return _Line(self, source)


class _Line:
    """One recording's progress."""

    def __init__(self, shown: _Shown, source: Source) -> None:
        self._shown, self._source = shown, source
        self._task: TaskID = shown.bars.add_task(source.name, total=None, left="")
        self._began = time.monotonic()
        self._told = 0
        self._last: Progress | None = None

    @property
    def seconds(self) -> float:
        """How long the recording is, as far as it is known (s)."""
        return 0.0 if self._last is None else self._last.done

    def tell(self, progress: Progress) -> None:
        self._last = progress
        if progress.news:
            self._print(f"[yellow]{escape(self._source.name)}: {escape(progress.news)}[/]")
        left = self._left(progress)
        self._shown.bars.update(
            self._task, completed=progress.done, total=progress.total, left=left
        )
        if self._shown.console.is_terminal or not progress.total or progress.total < WORTH_LINES:
            return
        tenth = int(10 * progress.done / progress.total)
        if self._told < tenth < 10:
            self._told = tenth
            self._print(f"{escape(self._source.name)}: {tenth}0 %, {left}")

    def _left(self, progress: Progress) -> str:
        """Say how much time is left, by how fast it went: what an earlier run did took none."""
        fresh = progress.done - progress.kept
        if progress.total is None or fresh <= 0:
            return ""
        pace = (time.monotonic() - self._began) / fresh
        return f"{clock((progress.total - progress.done) * pace)} left"

    def done(
        self,
        found: Transcript,
        seconds: float,
        took: float,
        outputs: dict[subtitles.Form, Path],
        damaged: int,
    ) -> None:
        self._shown.bars.remove_task(self._task)
        names = ", ".join(str(path) for path in outputs.values()) or self._source.name
        facts = [f"{clock(seconds)} in {clock(took)}"]
        if self._last is not None and self._last.kept:
            facts.append(f"{clock(self._last.kept)} of it done before")
        if found.speakers:
            count = len(found.speakers)
            facts.append("1 speaker" if count == 1 else f"{count} speakers")
        if found.cost is not None:
            facts.append(f"${found.cost:.4f}")
        facts += found.ids
        self._print(f"{escape(names)}: {escape(', '.join(facts))}")
        if not found.text:
            self._print(f"[yellow]{escape(self._source.name)}: no words were understood[/]")
        if damaged:
            self._print(
                f"[yellow]{escape(self._source.name)}: {damaged} damaged pieces of it were left"
                " out[/]"
            )

    def failed(self, error: Exception, kept: int) -> None:
        self._shown.bars.remove_task(self._task)
        self._print(f"[red]{escape(self._source.name)}: {escape(str(error))}[/]")
        self._say_kept(kept)

    def stopped(self, kept: int) -> None:
        self._shown.bars.remove_task(self._task)
        self._say_kept(kept)

    def _say_kept(self, kept: int) -> None:
        if kept:
            parts = "1 part is" if kept == 1 else f"{kept} parts are"
            self._print(
                f"[dim]{escape(self._source.name)}: {parts} kept; the same command goes on"
                " from there[/]"
            )

    def _print(self, text: str) -> None:
        self._shown.console.print(text, soft_wrap=True)


def clock(seconds: float) -> str:
    """Write a time (s) as people do: 0:07, 12:03, 3:00:00."""
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

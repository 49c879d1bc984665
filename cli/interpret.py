"""`vivavoce interpret`: a recording or this machine's microphone, heard in another language."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vivavoce.agent import Interpreter
from vivavoce.agent.events import CallerPartial, Event, Failed, SegmentChanged
from vivavoce.agent.interpreter import Policy
from vivavoce.agent.ledger import STAGES, percentiles
from vivavoce.agent.segment import Segment
from vivavoce.agent.settings import Settings
from vivavoce.cli.load import LoadError, load_host
from vivavoce.cli.models import open_models
from vivavoce.cli.run import Ended, follow, write_record
from vivavoce.cli.show import Show
from vivavoce.pipelines.caller import FileCaller
from vivavoce.pipelines.interpret.downloads import FORMS, DownloadError, Form, subtitles
from vivavoce.pipelines.interpret.interpretation import Interpretation
from vivavoce.pipelines.local import LocalTransport
from vivavoce.pipelines.microphone import MicrophoneTransport
from vivavoce.pipelines.models.consent import Consent, ConsentError
from vivavoce.pipelines.transport import Transport

HEADS = {
    "transcription": "text",
    "endpointing": "cut",
    "thinking": "think",
    "clause": "rest",
    "speech": "speech",
    "output": "queue",
}
"""What the ledger's stages are to an interpreter."""


class GlossaryError(ValueError):
    """A glossary cannot be read; the message says what it should hold."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be interpreted, and what is to be kept of it.

    Attributes:
        source: A recording; None for the microphone.
        out: Where both sides are recorded (WAV: the original left, the translation right).
        captions: Where the translation is written as subtitles; its ending says in which form.
        transcript: Where the record is written, as JSON.
        fast: Do not wait where nothing waits on the clock.
        as_json: Print an event a line.
        microphone: Which, by number or name; None: the system's default.
        speaker: Likewise.
        headphones: There is no echo to cancel.
        consent: Who agreed that their voice is copied, and how: "Ann Martin, in person".
    """

    source: Path | None = None
    out: Path | None = None
    captions: Path | None = None
    transcript: Path | None = None
    fast: bool = False
    as_json: bool = False
    microphone: str | None = None
    speaker: str | None = None
    headphones: bool = False
    consent: str | None = None


class SegmentView(Show):
    """Shows an interpreted session: each segment in both languages, once it is spoken."""

    def __init__(self, console: Console, interpreter: Interpreter) -> None:
        super().__init__(console)
        self._targets = interpreter.targets
        self._shown: set[int] = set()

    def event(self, event: Event) -> None:
        """Show what happened."""
        match event:
            case SegmentChanged(segment=segment):
                told = segment.state in {"speaking", "spoken", "written", "failed"}
                if told and id(segment) not in self._shown:
                    self._shown.add(id(segment))
                    self._segment(segment)
            case CallerPartial() | Failed():
                super().event(event)
            case _:
                return

    def _segment(self, segment: Segment) -> None:
        self._line(segment.started, segment.source, "cyan", escape(segment.text))
        text = escape(segment.translation) or "[dim]—[/]"
        if segment.lag is not None:
            text += f"  [green]{segment.lag:.1f} s[/]"
        if segment.state == "failed":
            text += f" [red]{escape(segment.why)}[/]"
        at = segment.spoken_from if segment.spoken_from is not None else segment.cut
        self._line(at, f"  {segment.target}", "green", text)


def chosen(
    found: str | None,
    spoken: str | None,
    target: str | None,
    *,
    both_ways: bool = False,
    policy: str = "simultaneous",
    voice: str | None = None,
    latency: float = 2_000,
    glossary: Path | None = None,
    style: str = "",
) -> Interpreter:
    """Return the interpreter that a command line asks for.

    Args:
        found: Where one is defined; None for one of the languages that are given.
        spoken: The language that is spoken, as "fr".
        target: Into which it is translated; of several ("en,es") the first is spoken.
        both_ways: Whether both are spoken.
        policy: When it speaks.
        voice: In whose voice.
        latency: How far behind it should be (ms).
        glossary: Where its terms are.
        style: How it is to sound.

    Raises:
        LoadError: If there is none where one should be, or too much or too little is given.
        GlossaryError: If the glossary cannot be read.
        vivavoce.agent.interpreter.InterpreterError: If something else is wrong.
    """
    if found is not None:
        if spoken or target:
            raise LoadError(f"{found} says its languages: leave --from and --to out")
        loaded = load_host(found)
        if not isinstance(loaded, Interpreter):
            raise LoadError(f"{found}: is an Agent; interpret takes an Interpreter")
        return loaded
    if not spoken or not target:
        raise LoadError("say what is spoken and what is to be heard: --from fr --to en")
    targets = [each.strip() for each in target.split(",") if each.strip()]
    return Interpreter(
        spoken,
        targets[0] if len(targets) == 1 else targets,
        both_ways=both_ways,
        policy=cast("Policy", policy),
        voice=voice,
        latency=latency,
        glossary=read_glossary(glossary) if glossary is not None else None,
        style=style,
    )


def read_glossary(path: Path) -> dict[str, str]:
    """Return a glossary: terms and how they are translated.

    Args:
        path: A CSV file of two columns (term, translation; a head of these names is passed over),
            or a TOML file of such pairs.

    Raises:
        GlossaryError: If it cannot be read, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise GlossaryError(f"cannot read the glossary {path}: {error}") from None
    if path.suffix.lower() == ".toml":
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise GlossaryError(f"{path}: {error}") from None
        pairs = list(table.get("glossary", table).items())
    else:
        rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
        if rows and [cell.strip().lower() for cell in rows[0][:2]] == ["term", "translation"]:
            rows = rows[1:]
        pairs = [(row[0], row[1] if len(row) > 1 else "") for row in rows]
    for term, meaning in pairs:
        if not isinstance(meaning, str) or not term.strip():
            raise GlossaryError(
                f"{path}: {term!r}: {meaning!r}: give a term and its translation, as in"
                ' CSV: pain au levain,sourdough; or TOML: "pain au levain" = "sourdough"'
            )
    return dict(pairs)


def check_captions(path: Path | None) -> None:
    """Refuse a file of subtitles whose form is not known.

    Raises:
        DownloadError: If so.
    """
    if path is not None and path.suffix.lstrip(".").lower() not in FORMS:
        known = " or ".join(f".{form}" for form in FORMS)
        raise DownloadError(f"--captions {path}: let its name end with {known}")


async def interpret(
    interpreter: Interpreter, settings: Settings, console: Console, wanted: Wanted
) -> Ended:
    """Interpret a recording, or what is said at this machine.

    Raises:
        vivavoce.pipelines.audio.wav.AudioFileError: If a file cannot be read or written.
        vivavoce.pipelines.microphone.MicrophoneError: If the sound card cannot be used.
        vivavoce.cli.models.SandboxMissingError: If the sandbox is needed and does not start.
        vivavoce.pipelines.models.consent.ConsentError: If a voice is to be copied, and nobody has
            agreed.
    """
    check_captions(wanted.captions)
    consent = _consent(interpreter, wanted)
    caller = None if wanted.source is None else FileCaller(wanted.source)
    transport: Transport
    if caller is not None:
        transport = LocalTransport(caller, wanted.out, fast=wanted.fast)
    else:
        transport = MicrophoneTransport(
            microphone=wanted.microphone,
            speaker=wanted.speaker,
            echo=not wanted.headphones,
            recording=wanted.out,
        )
        if not wanted.as_json:
            console.print("[dim]speak; Ctrl-C ends[/]", highlight=False)
    try:
        async with open_models(settings) as models:
            session = Interpretation(interpreter, models, transport)
            if session.speakers is not None and consent is not None:
                session.speakers.agree(session.name, consent)
            view = SegmentView(console, interpreter)
            ended = await follow(session, models, console, as_json=wanted.as_json, view=view)
    finally:
        await transport.close()
    _finish(ended, interpreter, console, wanted)
    if caller is not None and caller.warning and not wanted.as_json:
        console.print(f"[yellow]{caller.warning}[/]")
    return ended


def _consent(interpreter: Interpreter, wanted: Wanted) -> Consent | None:
    """Return who agreed that their voice is copied; None where no voice is.

    Raises:
        ConsentError: If one is, and nobody did.
    """
    if not interpreter.copies:
        return None
    if wanted.consent is None:
        raise ConsentError(
            "the speaker's own voice is copied only if they agree: say who did, and how, as in"
            ' --consent "Ann Martin, in person"'
        )
    return Consent.parse(wanted.consent, datetime.now(UTC).date())


def _finish(ended: Ended, interpreter: Interpreter, console: Console, wanted: Wanted) -> None:
    """Write what is to be kept, and sum up."""
    if wanted.transcript is not None:
        write_record(wanted.transcript, ended.record)
    if wanted.as_json:
        print(json.dumps({"event": "record", **ended.record}, ensure_ascii=False), flush=True)
    else:
        _summarise(ended, console, wanted)
    if wanted.captions is not None:
        form: Form = "vtt" if wanted.captions.suffix.lower() == ".vtt" else "srt"
        rows = ended.record["transcript"]
        try:
            text = subtitles(rows, interpreter.targets[0], form)
        except DownloadError:
            text = "WEBVTT\n" if form == "vtt" else ""
        wanted.captions.parent.mkdir(parents=True, exist_ok=True)
        wanted.captions.write_text(text, encoding="utf-8")


def _summarise(ended: Ended, console: Console, wanted: Wanted) -> None:
    segments = ended.call.transcript.segments
    table = lag_table(segments)
    console.print()
    if table is not None:
        console.print(table)
    if not segments:
        console.print("[yellow]No words were understood.[/]")
    failed = [each for each in segments if each.state == "failed"]
    if failed:
        console.print(f"[red]{len(failed)} of {len(segments)} segments were not translated.[/]")
    where = f"; recorded in {wanted.out}" if wanted.out else ""
    console.print(f"[dim]{ended.call.reason}, after {ended.record['seconds']:.1f} s{where}[/]")


def lag_table(segments: Sequence[Segment]) -> Table | None:
    """Return where the lag of a session went, in milliseconds; None where nothing was spoken.

    Args:
        segments: Its segments.
    """
    latencies = [each.latency for each in segments if each.latency is not None]
    if not latencies:
        return None
    table = Table(
        title="Milliseconds from a segment's last word to its translation's first sound",
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    stages = [stage for stage in STAGES if stage in HEADS]
    table.add_column("")
    for stage in stages:
        table.add_column(HEADS[stage], justify="right", no_wrap=True)
    table.add_column("lag", justify="right", style="bold", no_wrap=True)
    means = [sum(each.stages[stage] for each in latencies) / len(latencies) for stage in stages]
    mean = sum(each.total for each in latencies) / len(latencies)
    table.add_row("mean", *(f"{us / 1000:.0f}" for us in means), f"{mean / 1000:.0f}")
    for name, value in percentiles([each.total_ms for each in latencies]).items():
        table.add_row(f"[dim]{name}[/]", *[""] * len(stages), f"{value:.0f}")
    return table

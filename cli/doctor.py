"""`vivavoce doctor`: what is configured, what answers, what to fix."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import platform
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vivavoce.agent.settings import (
    TASKS,
    ProviderSettings,
    Settings,
    SettingsError,
    StageName,
    config_path,
)
from vivavoce.cli.models import SandboxMissingError, endpoints, open_sandbox, timeouts
from vivavoce.cli.recordings import where as place_of
from vivavoce.pipelines.audio.media import RATE, encode
from vivavoce.pipelines.models import providers
from vivavoce.pipelines.models.errors import ModelError
from vivavoce.pipelines.models.http import Endpoint, Http
from vivavoce.pipelines.models.interfaces import TextDelta
from vivavoce.pipelines.models.transcription.clients import connect
from vivavoce.pipelines.models.transcription.options import Options, RefusedError
from vivavoce.pipelines.models.transcription.sound import Sound
from vivavoce.pipelines.models.wishes import Wishes
from vivavoce.pipelines.turns.endpointing import TurnEvent

LONGEST = 30.0
"""Seconds a check may take."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was looked at.
        ok: Whether it is as it should be.
        found: What was found.
        fix: What to do; empty where nothing is to be done.
    """

    check: str
    ok: bool
    found: str
    fix: str = ""


async def examine(settings: Settings, console: Console, *, as_json: bool = False) -> bool:
    """Check everything a call needs, print it, and return whether all is well."""
    findings = [_python(), _configuration(settings)]
    if settings.source == "sandbox":
        findings += _packages()
    try:
        async with open_sandbox(settings, _wants_sandbox(settings)) as (url, key):
            where = endpoints(settings, url, key)
            http = Http(timeouts(settings))
            try:
                checks = [
                    _check(_named(name, place), each, partial(check, each, http))
                    for stage, name, check in _STAGES
                    for place, each in enumerate(where[stage])
                    if each.dialect != "none"
                ]
                for task, name, check in _TASKS:
                    there = _place(settings, task, name, url, key)
                    if isinstance(there, Finding):
                        findings.append(there)
                    else:
                        checks.append(_check(name, there, partial(check, there, http)))
                findings += await asyncio.gather(*checks)
            finally:
                await http.close()
    except SandboxMissingError as error:
        findings.append(Finding("sandbox", False, str(error), "pip install 'vivavoce[sandbox]'"))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        console.print(_table(findings))
    return all(finding.ok for finding in findings)


def _named(stage: str, place: int) -> str:
    return f"{stage} {place + 1}" if place else stage


def _wants_sandbox(settings: Settings) -> StageName | None:
    """Return the task that a sandbox is to be started for, where no stage of a call needs one."""
    if settings.needs_sandbox:
        return None
    inside = (
        task
        for task in TASKS
        if _apart(settings, task) and settings.in_sandbox(getattr(settings, task))
    )
    return next(inside, None)


def _apart(settings: Settings, task: StageName) -> bool:
    """Whether the settings say anything of a task of its own."""
    return bool(getattr(settings, task) != ProviderSettings())


def _place(
    settings: Settings, task: StageName, name: str, url: str, key: str
) -> Endpoint | Finding:
    """Return where a task's model is, or why nobody is asked.

    Calls need neither task: where nothing is said of one and its default is out of reach, that is
    told and is no fault.
    """
    apart = _apart(settings, task)
    if not apart and settings.in_sandbox(ProviderSettings()) and not url:
        return Finding(name, True, f"not set up: `{task}` has no server, and calls need none")
    try:
        return place_of(settings, task, url, key, None)
    except SettingsError as error:
        if apart:
            return Finding(name, False, str(error), f"correct `{task}` (docs/settings.md)")
        return Finding(name, True, f"not set up, and calls need none: {error}")


def _table(findings: list[Finding]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("")
    table.add_column("check")
    table.add_column("found", overflow="fold")
    table.add_column("what to do", overflow="fold")
    for finding in findings:
        mark = "[green]✓[/]" if finding.ok else "[red]✗[/]"
        table.add_row(mark, finding.check, escape(finding.found), escape(finding.fix))
    return table


def _python() -> Finding:
    return Finding(
        "versions",
        True,
        f"Python {platform.python_version()}, vivavoce {version('vivavoce')},"
        f" pipecat-ai {version('pipecat-ai')}",
    )


def _configuration(settings: Settings) -> Finding:
    path = config_path()
    file = str(path) if path.is_file() else f"no {path}"
    key = "set" if settings.mistral_api_key is not None else "not set"
    return Finding("settings", True, f"models: {settings.source}; {file}; MISTRAL_API_KEY {key}")


def _packages() -> list[Finding]:
    found = []
    for package, wanted in (("moonshine-voice", "0.1.0"), ("espeakng-loader", "0.2.4")):
        try:
            have = version(package)
        except PackageNotFoundError:
            have = ""
        ok = have == wanted
        found.append(
            Finding(
                package,
                ok,
                have or "not installed",
                "" if ok else f"pip install 'vivavoce[sandbox]' (exactly {wanted} is needed)",
            )
        )
    return found


async def _check(name: str, endpoint: Endpoint, check: Callable[[], Awaitable[str]]) -> Finding:
    began = time.monotonic()
    try:
        async with asyncio.timeout(LONGEST):
            found = await check()
    except providers.DialectError as error:
        return Finding(name, False, str(error), "correct `dialect` (docs/models.md)")
    except RefusedError as error:
        return Finding(name, False, str(error), "correct the setting (docs/settings.md)")
    except ModelError as error:
        problem, _, fix = str(error).partition(" — ")
        if error.kind == "auth" and not endpoint.key:
            fix = "no key is set for this server: set MISTRAL_API_KEY, or `key` of the stage"
        return Finding(name, False, problem.removeprefix(f"{error.stage}: "), fix)
    except TimeoutError:
        return Finding(
            name, False, f"{endpoint.url} gave no answer within {LONGEST:g} s", "check the network"
        )
    milliseconds = (time.monotonic() - began) * 1000
    return Finding(name, True, f"{endpoint.name}: {found}, {milliseconds:.0f} ms")


class _Listener:
    """Waits for the first word or trouble of a transcription."""

    def __init__(self) -> None:
        self.result: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_partial(self, segment: int, text: str) -> None:
        """Not needed."""

    def on_final(self, segment: int, text: str) -> None:
        """The server answers."""
        del segment, text
        if not self.result.done():
            self.result.set_result("transcribes")

    def on_turn(self, kind: TurnEvent, seconds_ago: float) -> None:
        """Not asked for."""

    def on_trouble(self, error: ModelError, *, lost: bool) -> None:
        """The server fails."""
        if lost and not self.result.done():
            self.result.set_exception(error)


async def _hear(endpoint: Endpoint, http: Http) -> str:
    hearing = providers.hearing(endpoint, http.timeouts)(Wishes())
    listener = _Listener()
    await hearing.open(listener)
    try:
        hearing.send(bytes(16_000))
        hearing.flush()
        return await listener.result
    finally:
        await hearing.close()


async def _think(endpoint: Endpoint, http: Http) -> str:
    messages = [{"role": "user", "content": "Say hello."}]
    async with aclosing(providers.thinking(http, endpoint).stream(messages, [])) as thoughts:
        async for thought in thoughts:
            if isinstance(thought, TextDelta):
                return "answers"
    raise ModelError("thinking", "broken", f"{endpoint.url} answered with nothing")


async def _speak(endpoint: Endpoint, http: Http) -> str:
    stream = providers.speaking(http, endpoint).stream("Hello.", voice=None, language="en")
    async with aclosing(stream) as chunks:
        async for _ in chunks:
            return "speaks"
    raise ModelError("speaking", "broken", f"{endpoint.url} sent no audio")


def _sound() -> bytes:
    """Return a second of a tone as a WAV file: models refuse what is silent or too short."""
    wave = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    return encode((wave * 8_000).astype(np.int16), "wav")


async def _transcribe(endpoint: Endpoint, http: Http) -> str:
    files, _ = await connect(http, endpoint)
    with io.BytesIO(await asyncio.to_thread(_sound)) as file:
        sound = Sound(file, "wav", 1.0, name="check")
        await files.transcribe(sound, Options(), lambda _seconds: None)
    return "transcribes recordings"


async def _ask(endpoint: Endpoint, http: Http) -> str:
    data = base64.b64encode(await asyncio.to_thread(_sound)).decode()
    content = [
        {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
        {"type": "text", "text": "What do you hear? One word."},
    ]
    messages = [{"role": "user", "content": content}]
    async with aclosing(providers.thinking(http, endpoint).stream(messages, [])) as thoughts:
        async for thought in thoughts:
            if isinstance(thought, TextDelta):
                return "hears recordings, and answers"
    raise ModelError("thinking", "broken", f"{endpoint.url} answered with nothing")


_TASKS: tuple[tuple[StageName, str, Callable[[Endpoint, Http], Awaitable[str]]], ...] = (
    ("transcribe", "transcribing", _transcribe),
    ("ask", "asking", _ask),
)
_STAGES: tuple[tuple[StageName, str, Callable[[Endpoint, Http], Awaitable[str]]], ...] = (
    ("hear", "hearing", _hear),
    ("think", "thinking", _think),
    ("speak", "speaking", _speak),
)

"""The command line."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler

from vivavoce.cli import records as kept
from vivavoce.cli import voices

# One thread for linear algebra, set before numpy is loaded: with more of them the end-of-turn
# model's features cost twice the CPU and are no faster.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

app = typer.Typer(
    name="vivavoce",
    help="Real-time speech-to-speech voice agents on Mistral's Voxtral models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Exit codes: 0 all went well, 1 something failed in a call, 2 a mistake in what was"
    " given, 130 Ctrl-C.",
)
WRITE, CARRY, LOOK = "Write an agent", "Let it take calls", "See how things are"
FILES = "Work with recordings"


def _agents(incomplete: str) -> list[str]:
    """Return what a shell may complete an agent's name to: Python files and folders."""
    folder = Path(incomplete or ".")
    if incomplete and not incomplete.endswith("/"):
        folder = folder.parent
    found = []
    for path in sorted(folder.glob("*")) if folder.is_dir() else []:
        name = str(path)
        if name.startswith(incomplete) and not path.name.startswith((".", "_")):
            if path.is_dir():
                found.append(f"{name}/")
            elif path.suffix == ".py":
                found.append(name)
    return found


RecordsOption = Annotated[
    str, typer.Option("--records", help="Keep calls: a folder, or postgresql://USER@HOST/BASE.")
]
ModelsOption = Annotated[
    str | None,
    typer.Option("--models", help="Where the models are: mistral, sandbox or auto."),
]
AgentArgument = Annotated[
    str,
    typer.Argument(
        help="file.py, file.py:name or module:name.",
        metavar="AGENT",
        autocompletion=_agents,
    ),
]

FAILED = 2

app.add_typer(voices.app, name="voices", rich_help_panel=FILES)
app.add_typer(kept.app, name="records", rich_help_panel=CARRY)


def main() -> None:
    """Run the command line. A user's mistake ends in one line and exit code 2."""
    # pipecat greets on import and logs everything by default.
    from loguru import logger

    logger.remove()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if not is_mistake(error):
            raise
        print(f"vivavoce: {error}", file=sys.stderr)
        sys.exit(FAILED)


MISTAKES = {
    "vivavoce.agent.agent.AgentError",
    "vivavoce.agent.options.OptionError",
    "vivavoce.agent.settings.SettingsError",
    "vivavoce.agent.testing.replay.RecordError",
    "vivavoce.cli.load.LoadError",
    "vivavoce.cli.models.SandboxMissingError",
    "vivavoce.cli.new.ProjectError",
    "vivavoce.cli.recordings.RecordingError",
    "vivavoce.cli.say.SayError",
    "vivavoce.cli.serve.ServeError",
    "vivavoce.pipelines.audio.riff.AudioFileError",
    "vivavoce.pipelines.echo.EchoMissingError",
    "vivavoce.pipelines.microphone.MicrophoneError",
    "vivavoce.pipelines.models.consent.ConsentError",
    "vivavoce.pipelines.models.questions.QuestionError",
    "vivavoce.pipelines.models.sample.SampleError",
    "vivavoce.pipelines.models.transcription.options.RefusedError",
    "vivavoce.pipelines.models.providers.DialectError",
    "vivavoce.tools.schema.DefinitionError",
    "vivavoce.web.exposure.ExposureError",
    "vivavoce.web.records.RecordsError",
    "vivavoce.web.story.ReportError",
}
"""The errors whose message tells a user what to do, in one line. They stand here by name, because
importing them all would take longer than most mistakes take to be found."""


def is_mistake(error: BaseException) -> bool:
    """Whether an error is a user's mistake, or of a kind of those."""
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return not names.isdisjoint(MISTAKES)


def configure_logging(level: str) -> None:
    """Send our log, and pipecat's warnings, to the terminal's error stream."""
    handler = RichHandler(
        console=Console(stderr=True), show_time=False, show_path=False, markup=False
    )
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("vivavoce").setLevel(level.upper())
    from loguru import logger

    logger.add(
        lambda message: logging.getLogger("pipecat").log(
            message.record["level"].no, message.record["message"]
        ),
        level="DEBUG" if level == "debug" else "WARNING",
    )


def read_settings(**flags: Any) -> Any:
    """Read the settings and set the log up."""
    from vivavoce.agent.settings import load

    settings = load(flags)
    configure_logging(settings.log)
    return settings


@app.command(rich_help_panel=WRITE)
def new(
    name: Annotated[str, typer.Argument(help="Of the project and its folder.", metavar="NAME")],
) -> None:
    """Begin a project: an agent, its tests, and all that surrounds them.

    `vivavoce new x && cd x && make test` passes, without a key.
    """
    from vivavoce.cli.new import create

    folder = create(name, Path.cwd())
    print(f"{name} is made. Go on with:\n\n    cd {folder.name}\n    make test\n    make chat")


@app.command(rich_help_panel=WRITE)
def chat(
    agent: AgentArgument,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print an event a line, and each record, as JSON.")
    ] = False,
    models: ModelsOption = None,
) -> None:
    """Talk with an agent in text: the same pipeline, without audio.

    Lines may come from a pipe: one line is one turn. /help shows the commands.
    """
    from vivavoce.cli.chat import chat as hold
    from vivavoce.cli.load import load_agent

    settings = read_settings(models=models)
    raise typer.Exit(asyncio.run(hold(load_agent(agent), settings, Console(), as_json=as_json)))


def _print_devices(value: bool) -> None:
    if value:
        from vivavoce.cli.talk import print_devices

        print_devices(Console())
        raise typer.Exit


@app.command(rich_help_panel=WRITE)
def talk(
    agent: AgentArgument,
    push: Annotated[
        bool, typer.Option("--push", help="Keep the microphone closed until space is pressed.")
    ] = False,
    headphones: Annotated[
        bool, typer.Option("--headphones", help="Do not cancel the speaker's echo: there is none.")
    ] = False,
    microphone: Annotated[
        str | None, typer.Option("--microphone", help="Number or name of the one to use.")
    ] = None,
    speaker: Annotated[
        str | None, typer.Option("--speaker", help="Number or name of the one to use.")
    ] = None,
    devices: Annotated[
        bool,
        typer.Option(
            "--devices",
            help="List microphones and speakers, and leave.",
            callback=_print_devices,
            is_eager=True,
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Record the call here: caller left, agent right.")
    ] = None,
    transcript: Annotated[
        Path | None, typer.Option("--transcript", help="Write the record here, as JSON.")
    ] = None,
    models: ModelsOption = None,
) -> None:
    """Talk with an agent at this machine's microphone and speaker.

    The speaker's echo is cancelled, so no headphones are needed. Cut in whenever you like.
    """
    from vivavoce.cli.load import load_agent
    from vivavoce.cli.talk import Card
    from vivavoce.cli.talk import talk as hold

    del devices  # its callback has printed them
    settings = read_settings(models=models)
    card = Card(microphone, speaker, headphones, push, out, transcript)
    raise typer.Exit(asyncio.run(hold(load_agent(agent), settings, Console(), card=card)))


@app.command(rich_help_panel=WRITE)
def dev(
    agent: AgentArgument,
    talk: Annotated[bool, typer.Option("--talk", help="At this machine's microphone.")] = False,
    chat: Annotated[bool, typer.Option("--chat", help="In text.")] = False,
    port: Annotated[int | None, typer.Option(help="Of the page; 0 takes a free one.")] = None,
    browse: Annotated[bool, typer.Option("--open", help="Open the browser.")] = False,
    models: ModelsOption = None,
) -> None:
    """Write an agent while you talk with it: a saved file counts from the next reply on.

    You talk in a browser, at a page that is served on this machine alone.

    The call goes on with its history. A file that is broken shows its error, and the agent that
    worked stays.
    """
    from vivavoce.cli.dev import By, develop

    settings = read_settings(models=models)
    by: By = "talk" if talk else "chat" if chat else "browser"
    raise typer.Exit(develop(agent, settings, Console(), by=by, port=port, browse=browse))


@app.command(rich_help_panel=CARRY)
def run(
    agent: AgentArgument,
    source: Annotated[Path, typer.Option("--in", help="What the caller says (WAV).")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Record the call here: caller left, agent right.")
    ] = None,
    transcript: Annotated[
        Path | None, typer.Option("--transcript", help="Write the record here, as JSON.")
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Do not wait where nothing waits on the clock.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print an event a line, and the record last, as JSON.")
    ] = False,
    models: ModelsOption = None,
) -> None:
    """Let a WAV file call an agent, and record both sides."""
    from vivavoce.cli.load import load_agent
    from vivavoce.cli.run import run_file

    settings = read_settings(models=models)
    ended = asyncio.run(
        run_file(
            load_agent(agent),
            settings,
            Console(),
            source=source,
            recording=out,
            transcript=transcript,
            fast=fast,
            as_json=as_json,
        )
    )
    if ended.interrupted:
        raise typer.Exit(130)
    if ended.call.transcript.failures:
        raise typer.Exit(1)


@app.command(rich_help_panel=WRITE)
def replay(
    record: Annotated[Path, typer.Argument(help="A call's record (`run --transcript`).")],
    agent: AgentArgument = "agent.py",
    from_turn: Annotated[
        int, typer.Option("--from-turn", min=1, help="Take the turns before this from the record.")
    ] = 1,
    models: ModelsOption = None,
) -> None:
    """Play the caller's lines of a recorded call to an agent; exit code 1 if other tools run."""
    from vivavoce.agent.testing import SimulationError
    from vivavoce.cli.load import load_agent
    from vivavoce.cli.replay import replay_file

    settings = read_settings(models=models)
    try:
        done = asyncio.run(
            replay_file(load_agent(agent), settings, Console(), record=record, from_turn=from_turn)
        )
    except SimulationError as error:
        print(f"vivavoce: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if done.same_tools else 1)


@app.command(rich_help_panel=LOOK)
def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
) -> None:
    """Run the embedded models by themselves: a local server in Mistral's dialect."""
    from vivavoce.cli.sandbox import serve

    read_settings()
    raise typer.Exit(serve(port))


@app.command(rich_help_panel=LOOK)
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    models: ModelsOption = None,
) -> None:
    """Check what is configured, what answers, and what to fix."""
    from vivavoce.cli.doctor import examine

    settings = read_settings(models=models)
    healthy = asyncio.run(examine(settings, Console(), as_json=as_json))
    raise typer.Exit(0 if healthy else 1)


@app.command(rich_help_panel=LOOK)
def demo(
    out: Annotated[Path, typer.Option("--out", help="Where to leave the call.")] = Path("demo"),
    fast: Annotated[
        bool, typer.Option("--fast", help="Do not wait where nothing waits on the clock.")
    ] = False,
    models: ModelsOption = None,
) -> None:
    """Hold a whole spoken conversation with the restaurant example, and leave it to look at."""
    from vivavoce.cli.demo import hold

    settings = read_settings(models=models)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"vivavoce: cannot make {out}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(FAILED) from None
    raise typer.Exit(asyncio.run(hold(settings, Console(), out, fast=fast)))


@app.command(rich_help_panel=CARRY)
def phone(
    agents: Annotated[list[str], typer.Argument(help="file.py, file.py:name or module:name.")],
    listen: Annotated[
        list[str] | None, typer.Option("--listen", help="[udp:|tcp:|tls:]ADDRESS[:PORT].")
    ] = None,
    setup: Annotated[
        Path | None, typer.Option("--setup", help="Trunks, numbers, limits, records (TOML).")
    ] = None,
    records: RecordsOption = "",
    allow: Annotated[
        list[str] | None, typer.Option("--allow", help="A network (CIDR) that may call in.")
    ] = None,
    public: Annotated[
        str | None, typer.Option("--public", help="Our IP address outside of a NAT.")
    ] = None,
    max_calls: Annotated[int | None, typer.Option("--max-calls", help="Most at once.")] = None,
    ring_time: Annotated[
        float | None, typer.Option("--ring", help="Seconds until a call is answered.")
    ] = None,
    dial: Annotated[
        str | None, typer.Option("--dial", help="Call this number, and end with the call.")
    ] = None,
    campaign: Annotated[
        Path | None,
        typer.Option("--campaign", help="Call everybody of this list (CSV: number, name, …)."),
    ] = None,
    results: Annotated[
        Path | None, typer.Option("--results", help="Where a campaign notes what came of it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Leave recordings and records in this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print events as JSON.")] = False,
    models: ModelsOption = None,
) -> None:
    """Put agents on the telephone: SIP, with or without a trunk."""
    from vivavoce.cli.campaign import run_campaign
    from vivavoce.cli.load import load_agent
    from vivavoce.cli.phone import read_setup, run_phone
    from vivavoce.phone import PhoneError

    settings = read_settings(models=models)
    flags = {
        "listen": tuple(listen or ()),
        "public": public,
        "max_calls": max_calls,
        "ring_time": ring_time,
    }
    found = [load_agent(where) for where in agents]
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"vivavoce: cannot make {out}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(FAILED) from None
    try:
        ready = read_setup(setup, flags, allow or (), records=records)
        if campaign is not None:
            running = run_campaign(
                found,
                settings,
                Console(),
                ready,
                campaign,
                results=results,
                folder=out,
                as_json=as_json,
            )
        else:
            running = run_phone(
                found, settings, Console(), ready, dial=dial, folder=out, as_json=as_json
            )
        code = asyncio.run(running)
    except PhoneError as error:
        print(f"vivavoce: {error}", file=sys.stderr)
        raise typer.Exit(FAILED) from None
    if code:
        raise typer.Exit(code)


@app.command(rich_help_panel=CARRY)
def serve(
    agents: Annotated[list[str], typer.Argument(help="file.py, file.py:name or module:name.")],
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one.")] = None,
    name: Annotated[
        list[str] | None, typer.Option("--name", help="A name by which it is reached.")
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option("--origin", help="https://HOST of pages that may call.")
    ] = None,
    setup: Annotated[
        Path | None, typer.Option("--setup", help="Address, limits, TURN, records (TOML).")
    ] = None,
    records: RecordsOption = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Leave recordings and records in this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print events as JSON.")] = False,
    models: ModelsOption = None,
) -> None:
    """Take calls from browsers, apps and carriers' media sockets.

    On an address that others reach it wants a secret for call tokens (VIVAVOCE_WEB_SECRET) and
    the origins of the pages that may call.
    """
    from vivavoce.cli.load import load_agent
    from vivavoce.cli.serve import read_setup, run_server

    settings = read_settings(models=models)
    flags = {"host": host, "port": port, "names": tuple(name or ()), "origins": tuple(origin or ())}
    ready = read_setup(setup, flags, records=records)
    found = [load_agent(where) for where in agents]
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)

    def opened(url: str) -> None:
        if not as_json:
            names = ", ".join(each.name for each in found)
            Console().print(f"[bold]{names}[/] at {url}", highlight=False)
            told = f"recordings and records are left in {out}" if out else ready.records.told()
            Console().print(told, style="dim", markup=False, highlight=False, soft_wrap=True)
            Console().print(f"[dim]their calls: {url}/operator[/]", highlight=False)

    work = run_server(found, settings, Console(), ready, folder=out, as_json=as_json, opened=opened)
    raise typer.Exit(asyncio.run(work))


@app.command(rich_help_panel=CARRY)
def token(
    agent: Annotated[str, typer.Option(help="Whom it may call; any if left out.")] = "",
    origin: Annotated[str, typer.Option(help="From which page; any if left out.")] = "",
    caller: Annotated[str, typer.Option(help="Who calls.")] = "",
    lifetime: Annotated[
        float | None,
        typer.Option(help="Seconds that it is good for: 120 if left out, an operator's 3600."),
    ] = None,
    operator: Annotated[
        str | None,
        typer.Option(help="Make an operator's token for somebody of that name instead."),
    ] = None,
    key: Annotated[bool, typer.Option("--key", help="Print the service key instead.")] = False,
) -> None:
    """Make a call token for `serve`, or an operator's, signed with VIVAVOCE_WEB_SECRET."""
    import time

    from vivavoce.web.tokens import LIFETIME, WATCH, Signer

    try:
        signer = Signer(os.environ.get("VIVAVOCE_WEB_SECRET", ""))
        now = time.time()
        if key:
            print(signer.service_key)
        elif operator is not None:
            lasts = WATCH if lifetime is None else lifetime
            print(signer.issue_operator(now, name=operator, agent=agent, lifetime=lasts))
        else:
            lasts = LIFETIME if lifetime is None else lifetime
            print(signer.issue(now, agent=agent, origin=origin, caller=caller, lifetime=lasts))
    except ValueError as error:
        print(f"vivavoce: VIVAVOCE_WEB_SECRET: {error}", file=sys.stderr)
        raise typer.Exit(FAILED) from None


@app.command(rich_help_panel=FILES)
def transcribe(
    recordings: Annotated[
        list[str],
        typer.Argument(
            help="Files of any format, http URLs, or id: and the id of an uploaded file.",
            metavar="RECORDING...",
        ),
    ],
    form: Annotated[
        list[str] | None,
        typer.Option("--format", help="text, json, srt, vtt or md; more than one if wanted."),
    ] = None,
    out: Annotated[
        str, typer.Option("--out", help="Folder for the transcripts; - prints them.")
    ] = ".",
    language: Annotated[
        str | None, typer.Option("--language", help="Of what is spoken, such as fr.")
    ] = None,
    diarize: Annotated[bool, typer.Option("--diarize", help="Tell speakers apart.")] = False,
    speaker: Annotated[
        list[str] | None,
        typer.Option("--speaker", help="NAME=FILE: a sample of a voice, 3 to 15 s."),
    ] = None,
    words: Annotated[bool, typer.Option("--words", help="Times of words.")] = False,
    bias: Annotated[
        list[str] | None, typer.Option("--bias", help="A word to listen for; up to 100.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Another model.")] = None,
    part: Annotated[
        float | None, typer.Option("--part", min=0.25, help="Minutes of one request at most.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=16, help="Requests at once.")] = 2,
    again: Annotated[
        bool, typer.Option("--again", help="Also what there is a transcript of.")
    ] = False,
    models: ModelsOption = None,
) -> None:
    """Write recordings down: text, subtitles, who said what.

    Any format, up to hours. What is interrupted goes on where it stopped: give the same command.
    """
    from vivavoce.cli.recordings import parse_sources
    from vivavoce.cli.transcribe import Order, parse_forms, parse_speakers
    from vivavoce.cli.transcribe import transcribe as carry_out
    from vivavoce.pipelines.models.transcription.options import Options

    settings = read_settings(models=models)
    order = Order(
        tuple(parse_sources(recordings)),
        parse_forms(form or ()),
        None if out == "-" else Path(out),
        Options(
            language=language,
            diarize=diarize,
            bias=tuple(bias or ()),
            speakers=parse_speakers(speaker or ()),
        ),
        words,
        model,
        part,
        jobs,
        again,
    )
    raise typer.Exit(asyncio.run(carry_out(order, settings, Console())))


@app.command(rich_help_panel=FILES)
def ask(
    recording: Annotated[Path, typer.Argument(help="A file of any format.", metavar="RECORDING")],
    questions: Annotated[
        list[str] | None, typer.Argument(help="Asked one after the other.", metavar="[QUESTION]...")
    ] = None,
    summary: Annotated[bool, typer.Option("--summary", help="What it is about, in short.")] = False,
    model: Annotated[str | None, typer.Option("--model", help="Another model.")] = None,
    part: Annotated[
        float | None,
        typer.Option("--part", min=0.25, max=20, help="Minutes heard at once at most."),
    ] = None,
    models: ModelsOption = None,
) -> None:
    """Ask a recording: Voxtral hears it and answers.

    Without a question a conversation about it begins; questions may also come from a pipe, one a
    line.
    """
    from vivavoce.cli.ask import ask as carry_out
    from vivavoce.pipelines.models.questions import SUMMARY

    settings = read_settings(models=models)
    asked = [*([SUMMARY] if summary else []), *(questions or ())]
    work = carry_out(recording, asked, settings, model=model, part=part)
    raise typer.Exit(asyncio.run(work))


@app.command(rich_help_panel=FILES)
def say(
    text: Annotated[str, typer.Argument(help="What to say; - reads it from a pipe.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="A WAV file; else it is played.")
    ] = None,
    voice: Annotated[
        str | None, typer.Option("--voice", help="A preset's slug or a voice's id.")
    ] = None,
    sample: Annotated[
        Path | None,
        typer.Option("--sample", help="Speak like this recording (3 to 25 s); ask its speaker."),
    ] = None,
    language: Annotated[str, typer.Option("--language", help="Of the text.")] = "en",
    speed: Annotated[
        float | None, typer.Option("--speed", help="0.25 to 4, where the model has it.")
    ] = None,
    expressiveness: Annotated[
        float | None, typer.Option("--expressiveness", help="From 1.0 on, likewise.")
    ] = None,
    emotion: Annotated[
        str | None, typer.Option("--emotion", help="Such as happy or calm, likewise.")
    ] = None,
    pace: Annotated[str | None, typer.Option("--pace", help="slow or fast, likewise.")] = None,
    models: ModelsOption = None,
) -> None:
    """Say a text, aloud or into a file."""
    from vivavoce.cli.say import order
    from vivavoce.cli.say import say as carry_out

    settings = read_settings(models=models)
    given = order(
        sys.stdin.read() if text == "-" else text,
        language=language,
        out=out,
        voice=voice,
        sample=sample,
        speed=speed,
        expressiveness=expressiveness,
        emotion=emotion,
        pace=pace,
    )
    raise typer.Exit(asyncio.run(carry_out(given, settings, Console())))


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(installed("vivavoce"))
        raise typer.Exit


if __name__ == "__main__":
    main()

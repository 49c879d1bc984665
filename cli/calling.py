"""The commands that let agents take calls: run, phone, serve, token."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vivavoce.cli.program import (
    CARRY,
    FAILED,
    AgentArgument,
    AgentsArgument,
    EventsOption,
    FastOption,
    HeadphonesOption,
    LogFormatOption,
    MicrophoneOption,
    ModelsOption,
    RecordingOption,
    SpeakerOption,
    TranscriptOption,
    app,
    read_settings,
)

RecordsOption = Annotated[
    str, typer.Option("--records", help="Keep calls: a folder, or postgresql://USER@HOST/BASE.")
]
FolderOption = Annotated[
    Path | None, typer.Option("--out", help="Leave recordings and records in this folder.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print events as JSON.")]
DrainOption = Annotated[
    float, typer.Option(min=0.0, help="Seconds that calls may go on once it is to end.")
]


@app.command(rich_help_panel=CARRY)
def run(
    agent: AgentArgument,
    source: Annotated[Path, typer.Option("--in", help="What the caller says (WAV).")],
    out: RecordingOption = None,
    transcript: TranscriptOption = None,
    fast: FastOption = False,
    as_json: EventsOption = False,
    models: ModelsOption = None,
) -> None:
    """Let a WAV file call an agent, and record both sides; or have an interpreter hear it."""
    from vivavoce.cli.load import load_host
    from vivavoce.cli.run import run_file

    settings = read_settings(models=models)
    ended = asyncio.run(
        run_file(
            load_host(agent),
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


@app.command(rich_help_panel=CARRY)
def interpret(
    found: Annotated[
        str | None,
        typer.Argument(help="An interpreter: file.py or file.py:name; else --from and --to."),
    ] = None,
    spoken: Annotated[str | None, typer.Option("--from", help="The language spoken: fr.")] = None,
    target: Annotated[str | None, typer.Option("--to", help="The language heard: en.")] = None,
    source: Annotated[
        Path | None, typer.Option("--in", help="What is said (WAV); else the microphone.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Record both here: the original left, the translation right."),
    ] = None,
    both_ways: Annotated[
        bool, typer.Option("--both-ways", help="Both languages are spoken, and heard in the other.")
    ] = False,
    policy: Annotated[
        str, typer.Option("--policy", help="simultaneous, consecutive or captions.")
    ] = "simultaneous",
    voice: Annotated[
        str | None, typer.Option("--voice", help="A voice, or speaker: the speaker's own.")
    ] = None,
    consent: Annotated[
        str | None,
        typer.Option("--consent", help='Who agreed to be copied, and how: "Ann, in person".'),
    ] = None,
    latency: Annotated[
        float, typer.Option("--latency", metavar="MS", help="How far behind it should be.")
    ] = 2_000,
    glossary: Annotated[
        Path | None, typer.Option("--glossary", help="Terms and translations (CSV or TOML).")
    ] = None,
    style: Annotated[str, typer.Option("--style", help="How it is to sound.")] = "",
    captions: Annotated[
        Path | None, typer.Option("--captions", help="Write the translation here (.srt, .vtt).")
    ] = None,
    transcript: TranscriptOption = None,
    fast: FastOption = False,
    as_json: EventsOption = False,
    headphones: HeadphonesOption = False,
    microphone: MicrophoneOption = None,
    speaker: SpeakerOption = None,
    models: ModelsOption = None,
) -> None:
    """Hear a recording, or what is said at this machine, in another language while it is said."""
    from vivavoce.cli.interpret import Wanted, chosen
    from vivavoce.cli.interpret import interpret as carry

    settings = read_settings(models=models)
    interpreter = chosen(
        found,
        spoken,
        target,
        both_ways=both_ways,
        policy=policy,
        voice=voice,
        latency=latency,
        glossary=glossary,
        style=style,
    )
    wanted = Wanted(
        source, out, captions, transcript, fast, as_json, microphone, speaker, headphones, consent
    )
    ended = asyncio.run(carry(interpreter, settings, Console(), wanted))
    if ended.interrupted:
        raise typer.Exit(130)
    if ended.call.transcript.failures:
        raise typer.Exit(1)


@app.command(rich_help_panel=CARRY)
def phone(
    agents: AgentsArgument,
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
    out: FolderOption = None,
    as_json: JsonOption = False,
    metrics: Annotated[
        str, typer.Option("--metrics", help="Let metrics be read at ADDRESS:PORT.")
    ] = "",
    drain: DrainOption = 30.0,
    log_format: LogFormatOption = None,
    models: ModelsOption = None,
) -> None:
    """Put agents on the telephone: SIP, with or without a trunk."""
    from vivavoce.cli.campaign import run_campaign
    from vivavoce.cli.load import load_host
    from vivavoce.cli.phone import run_phone
    from vivavoce.cli.phone_setup import read_phone
    from vivavoce.phone import PhoneError

    settings = read_settings(models=models, log_format=log_format)
    flags = {
        "listen": tuple(listen or ()),
        "public": public,
        "max_calls": max_calls,
        "ring_time": ring_time,
    }
    found = [load_host(where) for where in agents]
    try:
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"vivavoce: cannot make {out}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(FAILED) from None
    try:
        ready = read_phone(setup, flags, allow or (), records=records, metrics=metrics)
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
            quiet = settings.log_format == "json"  # what is shown of calls is personal
            console = Console(quiet=quiet)
            running = run_phone(
                found,
                settings,
                console,
                ready,
                dial=dial,
                folder=out,
                as_json=as_json,
                drain=drain,
            )
        code = asyncio.run(running)
    except PhoneError as error:
        print(f"vivavoce: {error}", file=sys.stderr)
        raise typer.Exit(FAILED) from None
    if code:
        raise typer.Exit(code)


@app.command(rich_help_panel=CARRY)
def serve(
    agents: AgentsArgument,
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
    phone: Annotated[
        Path | None, typer.Option("--phone", help="Answer the telephone, too: its set-up (TOML).")
    ] = None,
    records: RecordsOption = "",
    out: FolderOption = None,
    drain: DrainOption = 30.0,
    workers: Annotated[
        str,
        typer.Option(
            help="Carry calls in so many processes of their own: N, or LEAST-MOST by use.",
            metavar="N",
        ),
    ] = "",
    cluster: Annotated[
        bool,
        typer.Option("--cluster", help="Carry calls on the machines of a Ray cluster."),
    ] = False,
    ray: Annotated[
        str,
        typer.Option(
            "--ray",
            help="Which one: HOST:PORT, auto or local; else RAY_ADDRESS, else one of its own.",
            metavar="ADDRESS",
        ),
    ] = "",
    as_json: JsonOption = False,
    log_format: LogFormatOption = None,
    models: ModelsOption = None,
) -> None:
    """Take calls from browsers, apps and carriers' media sockets.

    On an address that others reach it wants a secret for call tokens (VIVAVOCE_WEB_SECRET) and
    the origins of the pages that may call.
    """
    from vivavoce.cli.load import load_host
    from vivavoce.cli.phone_setup import read_phone
    from vivavoce.cli.serve import Answering, Serving, read_setup, run_server
    from vivavoce.phone import PhoneError

    settings = read_settings(models=models, log_format=log_format)
    flags = {"host": host, "port": port, "names": tuple(name or ()), "origins": tuple(origin or ())}
    ready = read_setup(setup, flags, records=records)
    if workers or cluster or ray:
        from vivavoce.cli.workers import WorkerSpec, read_workers, run_workers

        spec = WorkerSpec(
            tuple(agents),
            "",
            setup=None if setup is None else str(setup),
            flags={"names": flags["names"], "origins": flags["origins"]},
            records=records,
            phone=None if phone is None else str(phone),
            out=None if out is None else str(out),
            settings={"models": models, "log_format": log_format},
            as_json=as_json,
        )
        console = Console(quiet=as_json or settings.log_format == "json", highlight=False)
        scale = read_workers(workers) if workers else None

        def told(url: str) -> None:
            by = f"{workers} workers" if workers else "a worker to each of the cluster's cores"
            console.print(f"[bold]{', '.join(agents)}[/] at {url}, by {by}")

        serving = Serving(ready, settings, console, drain, told)
        if scale is None or cluster or ray:
            from vivavoce.cli.clustered import Cluster, run_cluster

            raise typer.Exit(run_cluster(Cluster(ray, scale), spec, serving))
        raise typer.Exit(asyncio.run(run_workers(spec, serving, scale)))
    found = [load_host(where) for where in agents]
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)

    def opened(url: str) -> None:
        if not as_json:
            names = ", ".join(each.name for each in found)
            Console().print(f"[bold]{names}[/] at {url}", highlight=False)
            told = f"recordings and records are left in {out}" if out else ready.records.told()
            Console().print(told, style="dim", markup=False, highlight=False, soft_wrap=True)
            Console().print(f"[dim]their calls: {url}/operator[/]", highlight=False)

    try:
        # What is shown of calls is personal, which lines for machines are not.
        shown = Console(quiet=settings.log_format == "json")
        exchange = None if phone is None else read_phone(phone, {})
        answering = Answering(found, exchange, out, as_json)
        work = run_server(answering, Serving(ready, settings, shown, drain, opened))
        code = asyncio.run(work)
    except PhoneError as error:
        print(f"vivavoce: {error}", file=sys.stderr)
        raise typer.Exit(FAILED) from None
    raise typer.Exit(code)


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
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Print the key that reads /metrics instead.")
    ] = False,
) -> None:
    """Make a call token for `serve`, or an operator's, signed with VIVAVOCE_WEB_SECRET."""
    import time

    from vivavoce.web.tokens import LIFETIME, WATCH, Signer

    try:
        signer = Signer(os.environ.get("VIVAVOCE_WEB_SECRET", ""))
        now = time.time()
        if metrics:
            print(signer.scrape_key)
        elif key:
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
